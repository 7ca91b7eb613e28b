/*
 * crypt(3) for the SSH server: asks the appliance instead of comparing with a hash. There is one password store and one
 * limit of attempts, and /etc/passwd holds no secret. Loaded into dropbear by LD_PRELOAD; without it crypt(3) of the C
 * library is handed a field that is no hash, and every password is wrong.
 *
 * Over the Unix socket named in the environment: the password and a NUL go there, `y` or `n` comes back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* scrypt takes a second or two on a slow board, and others may wait before us. */
#define LONGEST_ANSWER_S 60

/* Never what stands in /etc/passwd, which is what dropbear compares the answer with. */
static char wrong[] = "*wrong*";

static int ask(const char *password) {
    const char *path = getenv("CULVERT_PASSWORD_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL || strlen(path) >= sizeof address.sun_path) return 0;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return 0;
    struct timeval patience = {.tv_sec = LONGEST_ANSWER_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    size_t length = strlen(password) + 1;
    char answer = 'n';
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        send(fd, password, length, MSG_NOSIGNAL) == (ssize_t)length) {
        ssize_t got;
        do got = recv(fd, &answer, 1, 0);
        while (got < 0 && errno == EINTR);
        if (got != 1) answer = 'n';
    }
    close(fd);
    return answer == 'y';
}

/* `setting` is the account's field in /etc/passwd; returning it says that the password is right. */
char *crypt(const char *key, const char *setting) {
    if (strcmp(setting, wrong) == 0) return NULL;
    return ask(key) ? (char *)setting : wrong;
}
