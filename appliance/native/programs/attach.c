/*
 * The login shell of the account that SSH logs in to: joins its terminal, or its pipes, to the appliance's console. It
 * starts no other program and knows no command. The socket is $HOME/terminal, where dropbear takes HOME from /etc/passwd.
 *
 * Frames, both ways: a type, the length as two bytes big-endian, that many bytes.
 *   to the appliance    F where from   C the command   T columns and rows, 16 bits each   G go
 *                       I input   E end of input
 *   to us               O for standard output   D for standard error (diagnostics)   X exit status   R how many more
 *                       bytes of input may be sent, 32 bits
 */
#define _GNU_SOURCE /* pipe2 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#define HEADER 3
#define LARGEST_PAYLOAD 16384
#define FAILED 1

struct buffer {
    unsigned char bytes[2 * (HEADER + LARGEST_PAYLOAD)];
    size_t start, end;
};

static int server = -1;
static int is_terminal;
static struct termios before;
static int resize_pipe[2];
static struct buffer up, down;

static void leave(int status) {
    for (int fd = 0; fd <= 2; fd++) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    if (is_terminal) tcsetattr(0, TCSADRAIN, &before);
    _exit(status);
}

static void fail(const char *why) {
    for (int fd = 0; fd <= 2; fd++) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    dprintf(2, "%% %s\n", why);
    leave(FAILED);
}

static size_t room(const struct buffer *b) { return sizeof b->bytes - b->end; }

static void compact(struct buffer *b) {
    if (b->start == 0) return;
    memmove(b->bytes, b->bytes + b->start, b->end - b->start);
    b->end -= b->start;
    b->start = 0;
}

static void frame(char type, const void *payload, size_t length) {
    compact(&up);
    if (length > LARGEST_PAYLOAD || room(&up) < HEADER + length) fail("the command is too long");
    unsigned char *at = up.bytes + up.end;
    at[0] = (unsigned char)type;
    at[1] = (unsigned char)(length >> 8);
    at[2] = (unsigned char)length;
    if (length > 0) memcpy(at + HEADER, payload, length);
    up.end += HEADER + length;
}

static void window_size(void) {
    struct winsize size;
    if (ioctl(0, TIOCGWINSZ, &size) < 0) return;
    unsigned char payload[] = {size.ws_col >> 8, size.ws_col & 0xff, size.ws_row >> 8, size.ws_row & 0xff};
    frame('T', payload, sizeof payload);
}

static void resized(int signal) {
    (void)signal;
    int saved = errno;
    /* A full pipe says that a change is known already. */
    if (write(resize_pipe[1], "", 1) < 0) errno = saved;
    errno = saved;
}

/* No echo and no signals: each key belongs to the appliance. It leaves it to the terminal to add carriage returns. */
static void raw(void) {
    struct termios t = before;
    t.c_iflag &= ~(tcflag_t)(BRKINT | ICRNL | IGNCR | INLCR | INPCK | ISTRIP | IXON | IXOFF);
    t.c_oflag |= OPOST | ONLCR;
    t.c_lflag &= ~(tcflag_t)(ECHO | ICANON | IEXTEN | ISIG);
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    tcsetattr(0, TCSADRAIN, &t);
}

static void join(void) {
    const char *home = getenv("HOME");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/terminal", home == NULL ? "" : home);
    if (length < 0 || (size_t)length >= sizeof address.sun_path) fail("the path of the home folder is too long");
    server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server < 0 || connect(server, (struct sockaddr *)&address, sizeof address) < 0)
        fail("the router's program does not answer: try again in a minute, or use the serial console");
    fcntl(server, F_SETFL, O_NONBLOCK);
}

/* Writes what it can of the frames that came, in order; 0 when an output takes no more for now. */
static int deliver(uint32_t *credit, int *blocked) {
    for (;;) {
        size_t have = down.end - down.start;
        unsigned char *at = down.bytes + down.start;
        if (have < HEADER) return 1;
        size_t length = (size_t)at[1] << 8 | at[2];
        if (length > LARGEST_PAYLOAD) fail("the router's program speaks another language");
        int fd = at[0] == 'O' ? 1 : at[0] == 'D' ? 2 : -1;
        if (fd >= 0) {
            /* A part is enough: what was written is cut off the frame. */
            size_t part = have - HEADER < length ? have - HEADER : length;
            if (part > 0) {
                ssize_t n = write(fd, at + HEADER, part);
                if (n < 0 && errno == EINTR) continue;
                if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
                    *blocked = fd;
                    return 0;
                }
                if (n < 0) leave(FAILED);
                size_t left = length - (size_t)n;
                unsigned char type = at[0];
                down.start += (size_t)n;
                if (left == 0) {
                    down.start += HEADER;
                    continue;
                }
                at = down.bytes + down.start;
                at[0] = type;
                at[1] = (unsigned char)(left >> 8);
                at[2] = (unsigned char)left;
                continue;
            }
            if (length > 0) return 1;
        } else if (have < HEADER + length) {
            return 1;
        } else if (at[0] == 'X' && length == 1) {
            leave(at[HEADER]);
        } else if (at[0] == 'R' && length == 4) {
            *credit += (uint32_t)at[3] << 24 | (uint32_t)at[4] << 16 | (uint32_t)at[5] << 8 | at[6];
        }
        down.start += HEADER + length;
    }
}

static int again(ssize_t n) { return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR); }

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    is_terminal = isatty(0) && isatty(1) && tcgetattr(0, &before) == 0;
    join();
    const char *from = getenv("SSH_CONNECTION");
    if (from != NULL) frame('F', from, strlen(from));
    if (argc == 3 && strcmp(argv[1], "-c") == 0) frame('C', argv[2], strlen(argv[2]));
    if (is_terminal) {
        if (pipe2(resize_pipe, O_CLOEXEC | O_NONBLOCK) < 0) fail("no pipe");
        struct sigaction action = {.sa_handler = resized};
        sigaction(SIGWINCH, &action, NULL);
        raw();
        window_size();
    }
    frame('G', NULL, 0);
    for (int fd = 0; fd <= 2; fd++) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);

    uint32_t credit = 0;
    int input_open = 1, server_open = 1, blocked = -1;
    for (;;) {
        compact(&down);
        /* What had come before the end is delivered first, a status at the end of it too. */
        if (!server_open && blocked < 0) fail("the router's program has ended");
        int wants_input = server_open && input_open && credit > 0 && up.start == up.end;
        struct pollfd fds[] = {
            {.fd = server_open ? server : -1, .events = (room(&down) > 0 ? POLLIN : 0) | (up.start < up.end ? POLLOUT : 0)},
            {.fd = wants_input ? 0 : -1, .events = POLLIN},
            /* Without events it still tells when nobody reads any more. */
            {.fd = 1, .events = blocked == 1 ? POLLOUT : 0},
            {.fd = blocked == 2 ? 2 : -1, .events = POLLOUT},
            {.fd = is_terminal && up.start == up.end ? resize_pipe[0] : -1, .events = POLLIN},
        };
        if (poll(fds, sizeof fds / sizeof *fds, -1) < 0 && errno != EINTR) fail("poll failed");
        if (fds[2].revents & (POLLERR | POLLNVAL)) leave(FAILED);
        if (fds[2].revents & POLLHUP && is_terminal) leave(FAILED);
        if (fds[4].revents & POLLIN) {
            char drained[64];
            while (read(resize_pipe[0], drained, sizeof drained) > 0) continue;
            window_size();
        }
        if (fds[1].revents & (POLLIN | POLLHUP | POLLERR)) {
            static unsigned char input[LARGEST_PAYLOAD];
            ssize_t n = read(0, input, credit < sizeof input ? credit : sizeof input);
            if (n > 0) {
                frame('I', input, (size_t)n);
                credit -= (uint32_t)n;
            } else if (!again(n)) {
                frame('E', NULL, 0);
                input_open = 0;
            }
        }
        if (server_open && up.start < up.end) {
            ssize_t n = send(server, up.bytes + up.start, up.end - up.start, MSG_NOSIGNAL);
            if (n > 0) up.start += (size_t)n;
            /* It may have closed behind its last words. */
            else if (!again(n)) up.start = up.end;
        }
        if (fds[0].revents & (POLLIN | POLLHUP | POLLERR) && room(&down) > 0) {
            ssize_t n = recv(server, down.bytes + down.end, room(&down), 0);
            if (n > 0) down.end += (size_t)n;
            else if (!again(n)) server_open = 0;
        }
        blocked = -1;
        deliver(&credit, &blocked);
    }
}
