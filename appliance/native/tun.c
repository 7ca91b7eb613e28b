/*
 * A TUN interface: whole IP packets, no link header, no packet information; or a TAP interface: whole Ethernet frames.
 * Both live as long as their descriptor, and are read and written alike.
 */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static napi_value open_interface(napi_env env, napi_callback_info info, const char *function, short flags) {
  struct call call;
  struct ifreq request = {0};
  char name[IFNAMSIZ + 1]; /* one more than fits, to see that a name is too long */
  size_t length;
  if (!call_begin(&call, env, info, function)) return NULL;
  if (napi_get_value_string_utf8(env, call.arguments[0], name, sizeof name, &length) != napi_ok || length == 0 ||
      length >= IFNAMSIZ)
    return throw_argument(&call, "name", "a name of 1 to 15 bytes is needed");
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return throw_errno(env, "open /dev/net/tun", errno);
  memcpy(request.ifr_name, name, length);
  request.ifr_flags = flags | IFF_NO_PI;
  if (ioctl(fd, TUNSETIFF, &request) < 0) {
    int error = errno;
    close(fd);
    return throw_errno(env, "ioctl TUNSETIFF", error);
  }
  return descriptor_new(env, KIND_TUN, fd);
}

/* tunOpen(name) */
napi_value tun_open(napi_env env, napi_callback_info info) { return open_interface(env, info, "tunOpen", IFF_TUN); }

/* tapOpen(name) */
napi_value tap_open(napi_env env, napi_callback_info info) { return open_interface(env, info, "tapOpen", IFF_TAP); }

/*
 * tunRead(tun, arena, slotBytes, headroom, starts, ends): packet i is arena[starts[i]..ends[i]), in slot i, behind its
 * headroom. Returns how many came; fewer than there are slots means that no more wait.
 */
napi_value tun_read(napi_env env, napi_callback_info info) {
  struct call call;
  struct descriptor *tun;
  struct bytes arena;
  struct words starts, ends;
  uint32_t slot_bytes, headroom;
  if (!call_begin(&call, env, info, "tunRead") || !take_descriptor(&call, KIND_TUN, &tun) ||
      !take_bytes(&call, "arena", &arena) || !take_number(&call, "slotBytes", 1, 1 << 20, &slot_bytes) ||
      !take_number(&call, "headroom", 0, slot_bytes - 1, &headroom) || !take_words(&call, "starts", &starts) ||
      !take_words(&call, "ends", &ends))
    return NULL;
  size_t slots = arena.length / slot_bytes;
  if (slots > starts.length) slots = starts.length;
  if (slots > ends.length) slots = ends.length;
  if (slots == 0) return throw_argument(&call, "arena", "not even one slot fits");
  uint32_t count = 0;
  while (count < slots) {
    size_t start = (size_t)count * slot_bytes + headroom;
    ssize_t got = read(tun->fd, arena.data + start, slot_bytes - headroom);
    if (got < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || count > 0) break; /* a lasting failure comes again with the next call */
      return throw_errno(env, "read /dev/net/tun", errno);
    }
    starts.data[count] = (uint32_t)start;
    ends.data[count] = (uint32_t)(start + (size_t)got);
    count++;
  }
  return number(env, count);
}

/* tunWrite(tun, packet): false when the kernel refuses this packet, an exception when the interface is gone. */
napi_value tun_write(napi_env env, napi_callback_info info) {
  struct call call;
  struct descriptor *tun;
  struct bytes packet;
  if (!call_begin(&call, env, info, "tunWrite") || !take_descriptor(&call, KIND_TUN, &tun) ||
      !take_bytes(&call, "packet", &packet))
    return NULL;
  ssize_t put;
  do put = write(tun->fd, packet.data, packet.length);
  while (put < 0 && errno == EINTR);
  if (put < 0 && (errno == EBADF || errno == EBADFD)) return throw_errno(env, "write /dev/net/tun", errno);
  return boolean(env, put >= 0);
}
