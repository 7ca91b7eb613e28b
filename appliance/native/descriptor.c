/* One open file descriptor as JavaScript holds it: an external value, so that a second close cannot hit a stranger's fd. */
#include "addon.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define MAGIC 0x43554c56u

/* The external value and a running watch own the object together; whoever lets go last frees it. */
void descriptor_release(struct descriptor *descriptor) {
  if (--descriptor->owners > 0) return;
  descriptor->magic = 0;
  free(descriptor);
}

static void close_fd(struct descriptor *descriptor) {
  if (descriptor->fd < 0) return;
  /* Linux frees the number even when close fails: a second try could hit a stranger's. */
  close(descriptor->fd);
  descriptor->fd = -1;
}

/* The value is garbage, or the environment ends. A watched value is never garbage: the watch refers to it. */
static void finalize(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  struct descriptor *descriptor = data;
  close_fd(descriptor);
  descriptor_release(descriptor);
}

napi_value descriptor_new(napi_env env, enum kind kind, int fd) {
  struct descriptor *descriptor = calloc(1, sizeof *descriptor);
  napi_value external;
  if (descriptor == NULL) {
    close(fd);
    return throw_errno(env, "malloc", ENOMEM);
  }
  *descriptor = (struct descriptor){.magic = MAGIC, .kind = kind, .fd = fd, .owners = 1, .env = env};
  if (napi_create_external(env, descriptor, finalize, NULL, &external) != napi_ok) {
    close(fd);
    free(descriptor);
    return throw_errno(env, "napi_create_external", ENOMEM);
  }
  return external;
}

static struct descriptor *descriptor_of(struct call *call) {
  napi_value value = call->arguments[call->at++];
  napi_valuetype type;
  void *data = NULL;
  if (napi_typeof(call->env, value, &type) != napi_ok || type != napi_external ||
      napi_get_value_external(call->env, value, &data) != napi_ok || data == NULL ||
      ((struct descriptor *)data)->magic != MAGIC) {
    throw_argument(call, "handle", "a handle from an open function is needed");
    return NULL;
  }
  return data;
}

bool take_descriptor(struct call *call, int kinds, struct descriptor **out) {
  *out = descriptor_of(call);
  if (*out == NULL) return false;
  if (((*out)->kind & kinds) == 0) {
    throw_argument(call, "handle", "this handle is of another kind");
    return false;
  }
  if ((*out)->fd < 0) {
    throw_errno(call->env, call->name, EBADF);
    return false;
  }
  return true;
}

/* close(handle): a second close does nothing. */
napi_value descriptor_close(napi_env env, napi_callback_info info) {
  struct call call;
  if (!call_begin(&call, env, info, "close")) return NULL;
  struct descriptor *descriptor = descriptor_of(&call);
  if (descriptor == NULL) return NULL;
  watch_stop(descriptor);
  close_fd(descriptor);
  return NULL;
}
