/*
 * watch(handle, onReadable): one uv_poll on Node's own event loop.
 *
 * uv.h is not needed to build, nor a libuv of the right version: the handle stays opaque. libuv keeps its ABI within
 * 1.x (docs: "API/ABI stability"), its functions below are exported by every node binary or by the libuv.so.1 that
 * node links, `uv_handle_size` gives the size of the running version, and `uv_handle_set_data` spares us the layout.
 * What remains are three constants of the ABI; the number of UV_POLL is verified by its name when the addon loads.
 */
#include "addon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct uv_loop_s uv_loop_t;
typedef struct uv_handle_s uv_handle_t;
enum { UV_POLL = 8, UV_READABLE = 1 };

extern unsigned int uv_version(void);
extern const char *uv_handle_type_name(int type);
extern size_t uv_handle_size(int type);
extern void *uv_handle_get_data(const uv_handle_t *handle);
extern void uv_handle_set_data(uv_handle_t *handle, void *data);
extern int uv_poll_init(uv_loop_t *loop, uv_handle_t *handle, int fd);
extern int uv_poll_start(uv_handle_t *handle, int events, void (*run)(uv_handle_t *handle, int status, int events));
extern int uv_poll_stop(uv_handle_t *handle);
extern void uv_close(uv_handle_t *handle, void (*closed)(uv_handle_t *handle));

struct watch {
  uv_handle_t *poll;
  struct descriptor *descriptor;
  napi_ref callback;
  napi_ref external; /* keeps the handle from being garbage while it is watched */
  napi_async_cleanup_hook_handle hook;
};

const char *watch_refusal(void) {
  const char *name = uv_handle_type_name(UV_POLL);
  if (uv_version() >> 16 != 1) return "culvert.node: libuv is not version 1";
  if (name == NULL || strcmp(name, "poll") != 0) return "culvert.node: libuv numbers its handle types differently";
  return NULL;
}

static void on_readable(uv_handle_t *poll, int status, int events) {
  (void)events;
  /* A failing descriptor (status < 0) is reported like a readable one: the read that follows says what is wrong. */
  (void)status;
  struct watch *watch = uv_handle_get_data(poll);
  napi_env env = watch->descriptor->env;
  napi_handle_scope scope;
  napi_value callback, global, thrown;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  if (napi_get_reference_value(env, watch->callback, &callback) == napi_ok &&
      napi_get_global(env, &global) == napi_ok &&
      /* make_callback, not call_function: promises and ticks run before the loop goes on. No async context: nobody
         traces us. */
      napi_make_callback(env, NULL, global, callback, 0, NULL, NULL) == napi_pending_exception &&
      napi_get_and_clear_last_exception(env, &thrown) == napi_ok)
    napi_fatal_exception(env, thrown);
  napi_close_handle_scope(env, scope);
}

static void on_closed(uv_handle_t *poll) {
  struct watch *watch = uv_handle_get_data(poll);
  napi_remove_async_cleanup_hook(watch->hook);
  descriptor_release(watch->descriptor);
  free(poll);
  free(watch);
}

void watch_stop(struct descriptor *descriptor) {
  struct watch *watch = descriptor->watch;
  if (watch == NULL) return;
  descriptor->watch = NULL;
  napi_delete_reference(descriptor->env, watch->callback);
  napi_delete_reference(descriptor->env, watch->external);
  /* After uv_poll_stop the descriptor may be closed at once; the handle itself lives until on_closed. */
  uv_poll_stop(watch->poll);
  uv_close(watch->poll, on_closed);
}

/* The environment ends (exit, or a worker). Node waits until on_closed has removed the hook. */
static void on_cleanup(napi_async_cleanup_hook_handle hook, void *data) {
  (void)hook;
  struct watch *watch = data;
  watch_stop(watch->descriptor);
}

napi_value watch_start(napi_env env, napi_callback_info info) {
  struct call call;
  struct descriptor *descriptor;
  napi_value callback;
  uv_loop_t *loop;
  if (!call_begin(&call, env, info, "watch") || !take_descriptor(&call, KIND_ANY, &descriptor) ||
      !take_function(&call, "onReadable", &callback))
    return NULL;
  if (descriptor->watch != NULL) return throw_argument(&call, "handle", "it is watched already");
  if (napi_get_uv_event_loop(env, (struct uv_loop_s **)&loop) != napi_ok)
    return throw_errno(env, "napi_get_uv_event_loop", EINVAL);

  struct watch *watch = calloc(1, sizeof *watch);
  uv_handle_t *poll = calloc(1, uv_handle_size(UV_POLL));
  if (watch == NULL || poll == NULL) {
    free(watch);
    free(poll);
    return throw_errno(env, "malloc", ENOMEM);
  }
  int failed = uv_poll_init(loop, poll, descriptor->fd);
  if (failed != 0) {
    free(watch);
    free(poll);
    return throw_errno(env, "uv_poll_init", -failed);
  }
  watch->poll = poll;
  watch->descriptor = descriptor;
  uv_handle_set_data(poll, watch);
  if (napi_create_reference(env, callback, 1, &watch->callback) != napi_ok ||
      napi_create_reference(env, call.arguments[0], 1, &watch->external) != napi_ok ||
      napi_add_async_cleanup_hook(env, on_cleanup, watch, &watch->hook) != napi_ok)
    /* Only a lack of memory does this, and half a watch cannot be taken back safely. */
    napi_fatal_error("culvert.node: watch", NAPI_AUTO_LENGTH, "out of memory", NAPI_AUTO_LENGTH);
  descriptor->owners++;
  descriptor->watch = watch;
  failed = uv_poll_start(poll, UV_READABLE, on_readable);
  if (failed != 0) {
    watch_stop(descriptor);
    return throw_errno(env, "uv_poll_start", -failed);
  }
  return NULL;
}
