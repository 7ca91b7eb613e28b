/* The raw socket of IP protocol 47: every GRE packet for this machine, in batches. */
#include "addon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* greOpen(receiveBufferBytes) */
napi_value gre_open(napi_env env, napi_callback_info info) {
  struct call call;
  uint32_t receive_buffer;
  if (!call_begin(&call, env, info, "greOpen") ||
      !take_number(&call, "receiveBufferBytes", 1, 1 << 30, &receive_buffer))
    return NULL;
  int fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_GRE);
  if (fd < 0) return throw_errno(env, "socket SOCK_RAW GRE", errno);
  int bytes = (int)receive_buffer;
  /* FORCE passes net.core.rmem_max but needs CAP_NET_ADMIN; the plain one takes what the limit allows. */
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  /* No "don't fragment": on a path narrower than the tunnel MTU expects, fragments are slow, but a lost ICMP with the
     bit set is a session that connects and then hangs. */
  int discover = IP_PMTUDISC_DONT;
  if (setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof discover) < 0) {
    int error = errno;
    close(fd);
    return throw_errno(env, "setsockopt IP_MTU_DISCOVER", error);
  }
  return descriptor_new(env, KIND_GRE, fd);
}

/*
 * greReceive(gre, arena, slotBytes, starts, ends, sources): GRE packet i is arena[starts[i]..ends[i]), its sender
 * sources[i] in host order. The kernel delivers the IP header too: it lies before `start`. A packet larger than its
 * slot comes out empty (start = end). Returns how many came; fewer than there are slots means that no more wait.
 */
napi_value gre_receive(napi_env env, napi_callback_info info) {
  struct call call;
  struct descriptor *gre;
  struct bytes arena;
  struct words starts, ends, sources;
  uint32_t slot_bytes;
  if (!call_begin(&call, env, info, "greReceive") || !take_descriptor(&call, KIND_GRE, &gre) ||
      !take_bytes(&call, "arena", &arena) || !take_number(&call, "slotBytes", 64, 1 << 20, &slot_bytes) ||
      !take_words(&call, "starts", &starts) || !take_words(&call, "ends", &ends) ||
      !take_words(&call, "sources", &sources))
    return NULL;
  size_t slots = arena.length / slot_bytes;
  if (slots > starts.length) slots = starts.length;
  if (slots > ends.length) slots = ends.length;
  if (slots > sources.length) slots = sources.length;
  if (slots > BATCH) slots = BATCH;
  if (slots == 0) return throw_argument(&call, "arena", "not even one slot fits");

  struct mmsghdr messages[BATCH];
  struct iovec vectors[BATCH];
  struct sockaddr_in names[BATCH];
  memset(messages, 0, slots * sizeof messages[0]);
  for (size_t i = 0; i < slots; i++) {
    vectors[i] = (struct iovec){.iov_base = arena.data + i * slot_bytes, .iov_len = slot_bytes};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    messages[i].msg_hdr.msg_name = &names[i];
    messages[i].msg_hdr.msg_namelen = sizeof names[i];
  }
  int count;
  do count = recvmmsg(gre->fd, messages, (unsigned int)slots, MSG_DONTWAIT, NULL);
  while (count < 0 && errno == EINTR);
  if (count < 0) {
    if (errno == EAGAIN) return number(env, 0);
    return throw_errno(env, "recvmmsg GRE", errno);
  }
  for (int i = 0; i < count; i++) {
    size_t slot = (size_t)i * slot_bytes;
    size_t header = (size_t)(arena.data[slot] & 15) * 4;
    size_t length = messages[i].msg_len;
    bool whole = (messages[i].msg_hdr.msg_flags & MSG_TRUNC) == 0 && header <= length;
    starts.data[i] = (uint32_t)(slot + (whole ? header : 0));
    ends.data[i] = (uint32_t)(slot + (whole ? length : 0));
    sources.data[i] = ntohl(names[i].sin_addr.s_addr);
  }
  return number(env, (uint32_t)count);
}

/* The source address of one packet (ip(7), IP_PKTINFO: ipi_spec_dst). */
union source_control {
  char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
  struct cmsghdr align;
};

static void put_source(struct msghdr *message, union source_control *control, uint32_t local) {
  memset(control, 0, sizeof *control);
  message->msg_control = control->bytes;
  message->msg_controllen = sizeof control->bytes;
  struct cmsghdr *header = CMSG_FIRSTHDR(message);
  header->cmsg_level = IPPROTO_IP;
  header->cmsg_type = IP_PKTINFO;
  header->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
  struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl(local)};
  memcpy(CMSG_DATA(header), &info, sizeof info);
}

/*
 * greSend(gre, count, packets, locals, peers): packet i goes from locals[i] (0: as the routes say) to peers[i]. Returns
 * how many the kernel took. One it refuses (no route, not our address) is skipped; with a full queue the rest is gone.
 */
napi_value gre_send(napi_env env, napi_callback_info info) {
  struct call call;
  struct descriptor *gre;
  struct words locals, peers;
  uint32_t count, length = 0;
  if (!call_begin(&call, env, info, "greSend") || !take_descriptor(&call, KIND_GRE, &gre) ||
      !take_number(&call, "count", 1, BATCH, &count))
    return NULL;
  napi_value packets = call.arguments[call.at++];
  if (napi_get_array_length(env, packets, &length) != napi_ok || length < count)
    return throw_argument(&call, "packets", "an array of at least count Buffers is needed");
  if (!take_words(&call, "locals", &locals) || !take_words(&call, "peers", &peers)) return NULL;
  if (locals.length < count || peers.length < count)
    return throw_argument(&call, "locals, peers", "at least count addresses are needed");

  struct mmsghdr messages[BATCH];
  struct iovec vectors[BATCH];
  struct sockaddr_in names[BATCH];
  union source_control controls[BATCH];
  memset(messages, 0, count * sizeof messages[0]);
  for (uint32_t i = 0; i < count; i++) {
    napi_value value;
    struct bytes packet;
    if (napi_get_element(env, packets, i, &value) != napi_ok || !bytes_of(&call, "packets", value, &packet))
      return NULL;
    vectors[i] = (struct iovec){.iov_base = packet.data, .iov_len = packet.length};
    names[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(peers.data[i])};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    messages[i].msg_hdr.msg_name = &names[i];
    messages[i].msg_hdr.msg_namelen = sizeof names[i];
    if (locals.data[i] != 0) put_source(&messages[i].msg_hdr, &controls[i], locals.data[i]);
  }
  uint32_t at = 0, sent = 0;
  while (at < count) {
    int put = sendmmsg(gre->fd, messages + at, count - at, MSG_DONTWAIT);
    if (put > 0) {
      at += (uint32_t)put;
      sent += (uint32_t)put;
    } else if (errno == EBADF) {
      return throw_errno(env, "sendmmsg GRE", errno);
    } else if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) {
      break;
    } else if (errno != EINTR) {
      at++;
    }
  }
  return number(env, sent);
}
