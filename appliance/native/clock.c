/* The time of day, which node:process can read but not set. */
#include "addon.h"

#include <errno.h>
#include <time.h>

/* clockSet(seconds, nanoseconds): since 1970. */
napi_value clock_set(napi_env env, napi_callback_info info) {
  struct call call;
  uint32_t seconds, nanoseconds;
  if (!call_begin(&call, env, info, "clockSet") || !take_number(&call, "seconds", 0, UINT32_MAX, &seconds) ||
      !take_number(&call, "nanoseconds", 0, 999999999, &nanoseconds))
    return NULL;
  struct timespec time = {.tv_sec = seconds, .tv_nsec = nanoseconds};
  if (clock_settime(CLOCK_REALTIME, &time) != 0) return throw_errno(env, "clock_settime", errno);
  return NULL;
}
