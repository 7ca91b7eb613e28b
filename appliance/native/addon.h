/* What the addon's files share: the descriptor behind every handle, argument checks, errors. */
#ifndef CULVERT_ADDON_H
#define CULVERT_ADDON_H

#define _GNU_SOURCE
#define NAPI_VERSION 8
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Node looks up two names that node_api.h exports; everything of ours stays out of the global name space. */
#pragma GCC visibility push(hidden)

/* Packets moved by one system call at most: the arrays for them lie on the stack. */
#define BATCH 64

enum kind { KIND_TUN = 1, KIND_GRE = 2, KIND_NETLINK = 4 };
#define KIND_ANY (KIND_TUN | KIND_GRE | KIND_NETLINK)

/* See poll.c for `watch`, descriptor.c for the life of this object. */
struct descriptor {
  uint32_t magic;
  enum kind kind;
  int fd; /* -1 once closed */
  int owners;
  napi_env env;
  struct watch *watch;
};

struct bytes {
  uint8_t *data;
  size_t length;
};

struct words {
  uint32_t *data;
  size_t length;
};

/* One call from JavaScript. The take_ functions read its arguments left to right; the first wrong one throws. */
struct call {
  napi_env env;
  const char *name;
  size_t count;
  size_t at;
  napi_value arguments[8];
};

bool call_begin(struct call *call, napi_env env, napi_callback_info info, const char *name);
bool take_descriptor(struct call *call, int kinds, struct descriptor **out);
bool take_number(struct call *call, const char *what, uint32_t low, uint32_t high, uint32_t *out);
bool take_bytes(struct call *call, const char *what, struct bytes *out);
bool take_words(struct call *call, const char *what, struct words *out);
bool take_function(struct call *call, const char *what, napi_value *out);
bool bytes_of(struct call *call, const char *what, napi_value value, struct bytes *out);

/* Both return NULL with the exception pending, so that a caller can `return throw_...`. */
napi_value throw_argument(struct call *call, const char *what, const char *problem);
napi_value throw_errno(napi_env env, const char *operation, int error);

napi_value number(napi_env env, uint32_t value);
napi_value boolean(napi_env env, bool value);

/* Takes the fd over: on failure it is closed. */
napi_value descriptor_new(napi_env env, enum kind kind, int fd);
void descriptor_release(struct descriptor *descriptor);
napi_value descriptor_close(napi_env env, napi_callback_info info);

napi_value watch_start(napi_env env, napi_callback_info info);
void watch_stop(struct descriptor *descriptor);
/* NULL, or why the running libuv is not the one poll.c was written for. */
const char *watch_refusal(void);

napi_value clock_set(napi_env env, napi_callback_info info);
napi_value random_fill(napi_env env, napi_callback_info info);
napi_value tun_open(napi_env env, napi_callback_info info);
napi_value tap_open(napi_env env, napi_callback_info info);
napi_value tun_read(napi_env env, napi_callback_info info);
napi_value tun_write(napi_env env, napi_callback_info info);
napi_value gre_open(napi_env env, napi_callback_info info);
napi_value gre_receive(napi_env env, napi_callback_info info);
napi_value gre_send(napi_env env, napi_callback_info info);
napi_value netlink_open(napi_env env, napi_callback_info info);
napi_value netlink_send(napi_env env, napi_callback_info info);
napi_value netlink_receive(napi_env env, napi_callback_info info);

#pragma GCC visibility pop

#endif
