/* Random bytes of the kernel. */
#include "addon.h"

#include <errno.h>
#include <sys/random.h>

/* randomFill(buffer): waits until the kernel has gathered enough after a start of the machine, getrandom(2). */
napi_value random_fill(napi_env env, napi_callback_info info) {
  struct call call;
  struct bytes bytes;
  if (!call_begin(&call, env, info, "randomFill") || !take_bytes(&call, "buffer", &bytes)) return NULL;
  for (size_t filled = 0; filled < bytes.length;) {
    ssize_t more = getrandom(bytes.data + filled, bytes.length - filled, 0);
    if (more >= 0)
      filled += (size_t)more;
    else if (errno != EINTR)
      return throw_errno(env, "getrandom", errno);
  }
  return NULL;
}
