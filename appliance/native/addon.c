/* The addon's table of functions, and how their arguments are checked. The TypeScript face is addon.ts. */
#include "addon.h"

#include <stdio.h>
#include <string.h>

bool call_begin(struct call *call, napi_env env, napi_callback_info info, const char *name) {
  call->env = env;
  call->name = name;
  call->at = 0;
  call->count = sizeof call->arguments / sizeof call->arguments[0];
  /* Missing arguments are filled with undefined, which no take_ function accepts. */
  return napi_get_cb_info(env, info, &call->count, call->arguments, NULL, NULL) == napi_ok;
}

napi_value throw_argument(struct call *call, const char *what, const char *problem) {
  char text[160];
  snprintf(text, sizeof text, "culvert.node: %s: %s: %s", call->name, what, problem);
  napi_throw_type_error(call->env, "ERR_INVALID_ARG_VALUE", text);
  return NULL;
}

napi_value throw_errno(napi_env env, const char *operation, int error) {
  const char *name = strerrorname_np(error);
  char text[160];
  snprintf(text, sizeof text, "%s: %s", operation, name != NULL ? name : "unknown error");
  napi_value code, message, thrown, said;
  if (napi_create_string_utf8(env, name != NULL ? name : "EUNKNOWN", NAPI_AUTO_LENGTH, &code) == napi_ok &&
      napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message) == napi_ok &&
      napi_create_error(env, code, message, &thrown) == napi_ok &&
      napi_create_string_utf8(env, operation, NAPI_AUTO_LENGTH, &said) == napi_ok &&
      napi_set_named_property(env, thrown, "operation", said) == napi_ok)
    napi_throw(env, thrown);
  return NULL;
}

static napi_value next(struct call *call) { return call->arguments[call->at++]; }

bool take_number(struct call *call, const char *what, uint32_t low, uint32_t high, uint32_t *out) {
  napi_value value = next(call);
  double number;
  /* Compared as a double: napi_get_value_uint32 would wrap 2^32 to 0. */
  if (napi_get_value_double(call->env, value, &number) != napi_ok || !(number >= low && number <= high) ||
      number != (uint32_t)number) {
    throw_argument(call, what, "an integer in range is needed");
    return false;
  }
  *out = (uint32_t)number;
  return true;
}

bool bytes_of(struct call *call, const char *what, napi_value value, struct bytes *out) {
  bool is = false;
  void *data;
  if (napi_is_buffer(call->env, value, &is) != napi_ok || !is ||
      napi_get_buffer_info(call->env, value, &data, &out->length) != napi_ok || out->length > UINT32_MAX) {
    throw_argument(call, what, "a Buffer below 4 GiB is needed");
    return false;
  }
  out->data = data;
  return true;
}

bool take_bytes(struct call *call, const char *what, struct bytes *out) {
  return bytes_of(call, what, next(call), out);
}

bool take_words(struct call *call, const char *what, struct words *out) {
  napi_value value = next(call);
  bool is = false;
  napi_typedarray_type type;
  void *data;
  if (napi_is_typedarray(call->env, value, &is) != napi_ok || !is ||
      napi_get_typedarray_info(call->env, value, &type, &out->length, &data, NULL, NULL) != napi_ok ||
      type != napi_uint32_array) {
    throw_argument(call, what, "a Uint32Array is needed");
    return false;
  }
  out->data = data;
  return true;
}

bool take_function(struct call *call, const char *what, napi_value *out) {
  napi_valuetype type;
  *out = next(call);
  if (napi_typeof(call->env, *out, &type) != napi_ok || type != napi_function) {
    throw_argument(call, what, "a function is needed");
    return false;
  }
  return true;
}

napi_value number(napi_env env, uint32_t value) {
  napi_value result = NULL;
  napi_create_uint32(env, value, &result);
  return result;
}

napi_value boolean(napi_env env, bool value) {
  napi_value result = NULL;
  napi_get_boolean(env, value, &result);
  return result;
}

static const struct {
  const char *name;
  napi_callback run;
} FUNCTIONS[] = {
    {"tunOpen", tun_open},
    {"tapOpen", tap_open},
    {"tunRead", tun_read},
    {"tunWrite", tun_write},
    {"greOpen", gre_open},
    {"greReceive", gre_receive},
    {"greSend", gre_send},
    {"netlinkOpen", netlink_open},
    {"netlinkSend", netlink_send},
    {"netlinkReceive", netlink_receive},
    {"clockSet", clock_set},
    {"randomFill", random_fill},
    {"watch", watch_start},
    {"close", descriptor_close},
};

NAPI_MODULE_INIT() {
  const char *refusal = watch_refusal();
  if (refusal != NULL) {
    napi_throw_error(env, "ERR_DLOPEN_FAILED", refusal);
    return NULL;
  }
  for (size_t i = 0; i < sizeof FUNCTIONS / sizeof FUNCTIONS[0]; i++) {
    napi_value run;
    if (napi_create_function(env, FUNCTIONS[i].name, NAPI_AUTO_LENGTH, FUNCTIONS[i].run, NULL, &run) != napi_ok ||
        napi_set_named_property(env, exports, FUNCTIONS[i].name, run) != napi_ok)
      return NULL;
  }
  return exports;
}
