/** What an app that was killed has left in the kernel. Its tunnels' interfaces went with it, and the routes into them. */
import { type Log, type Net, type Route, SystemError } from "../ports.ts";
import { formatIpv4 } from "../wire/ipv4.ts";

/** Takes away what nobody looks after any more, before the configuration is put in force. */
export function removeLeftovers(net: Net, log: Log): void {
  const cables = net.interfaces().flatMap(({ name, mac }) => (mac === undefined ? [] : [name]));
  for (const route of net.routes()) {
    if (!isOurs(route, cables)) continue;
    const { destination } = route;
    log.write(
      "warning",
      "network",
      `a route to ${formatIpv4(destination.address)}/${destination.length} was left behind`,
    );
    try {
      net.removeRoute(destination);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      log.write("error", "network", error.message);
    }
  }
}

/** The kernel's own routes lead straight to the networks of interfaces. The default route is set right by whoever knows it. */
function isOurs({ destination, by }: Route, cables: readonly string[]): boolean {
  if (destination.length === 0) return false;
  return by.gateway !== undefined || (destination.length === 32 && cables.includes(by.interfaceName));
}
