/* A NETLINK_ROUTE socket: bytes in, bytes out. rtnetlink.ts composes and reads the messages. */
#include "addon.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

/* netlinkOpen() */
napi_value netlink_open(napi_env env, napi_callback_info info) {
  (void)info;
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  if (fd < 0) return throw_errno(env, "socket NETLINK_ROUTE", errno);
  return descriptor_new(env, KIND_NETLINK, fd);
}

/* netlinkSend(netlink, request): one datagram to the kernel, which has carried it out when this returns. */
napi_value netlink_send(napi_env env, napi_callback_info info) {
  struct call call;
  struct descriptor *netlink;
  struct bytes request;
  if (!call_begin(&call, env, info, "netlinkSend") || !take_descriptor(&call, KIND_NETLINK, &netlink) ||
      !take_bytes(&call, "request", &request))
    return NULL;
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  ssize_t put;
  do put = sendto(netlink->fd, request.data, request.length, 0, (struct sockaddr *)&kernel, sizeof kernel);
  while (put < 0 && errno == EINTR);
  if (put < 0) return throw_errno(env, "send NETLINK_ROUTE", errno);
  return NULL;
}

/* netlinkReceive(netlink, arena): the length of one datagram from the kernel, now at the start of the arena. */
napi_value netlink_receive(napi_env env, napi_callback_info info) {
  struct call call;
  struct descriptor *netlink;
  struct bytes arena;
  if (!call_begin(&call, env, info, "netlinkReceive") || !take_descriptor(&call, KIND_NETLINK, &netlink) ||
      !take_bytes(&call, "arena", &arena))
    return NULL;
  for (;;) {
    struct sockaddr_nl sender = {0};
    socklen_t length = sizeof sender;
    /* MSG_TRUNC: the true length comes back, also of what did not fit. */
    ssize_t got = recvfrom(netlink->fd, arena.data, arena.length, MSG_TRUNC, (struct sockaddr *)&sender, &length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return throw_errno(env, "receive NETLINK_ROUTE", errno);
    if (sender.nl_pid != 0) continue; /* any process may send to us; only the kernel is port 0 */
    if ((size_t)got > arena.length) return throw_errno(env, "receive NETLINK_ROUTE", EMSGSIZE);
    return number(env, (uint32_t)got);
  }
}
