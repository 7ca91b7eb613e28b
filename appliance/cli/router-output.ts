/** The router's state as lines of text, at most 80 columns wide. */
import type { FirewallRule, Lease, Route, TimeServerStatus, WanStatus } from "../service/router-views.ts";
import { duration, table, wrap } from "./output.ts";

const LONGEST_NAME = 24;

/** How the WAN stands, as sentences above the table of interfaces. */
export function wanLines(wan: WanStatus): readonly string[] {
  if (wan.mode === "static") return [];
  const how = wan.mode === "dhcp" ? "DHCP" : "PPPoE";
  const sentence =
    wan.connectedForMs === undefined
      ? `WAN by ${how}: waiting${wan.lastFailure === undefined ? "" : `; ${wan.lastFailure}`}`
      : `WAN by ${how}: ${wan.address ?? "-"} on ${wan.interfaceName}, gateway ${wan.gateway ?? "-"}, ` +
        `name servers ${wan.dns.join(" ") || "-"}, for ${duration(wan.connectedForMs)}`;
  return wrap(sentence, "");
}

export function routeLines(routes: readonly Route[]): readonly string[] {
  if (routes.length === 0) return ["There are no routes."];
  return table(
    ["Network", "Gateway", "Interface"],
    routes.map(({ network, gateway, interfaceName }) => [network, gateway ?? "-", interfaceName]),
  );
}

export function leaseLines(leases: readonly Lease[]): readonly string[] {
  if (leases.length === 0) return ["No address is lent."];
  return table(
    ["Address", "MAC", "Name", "For another"],
    leases.map(({ address, mac, name, leftMs }) => [
      address,
      mac,
      cut(name ?? "-"),
      leftMs === undefined ? "ever" : duration(Math.max(0, leftMs)),
    ]),
  );
}

const CHAINS: Readonly<Record<string, string>> = { input: "to us", forward: "through" };

export function firewallLines(rules: readonly FirewallRule[]): readonly string[] {
  const shown = rules.filter(({ chain }) => chain in CHAINS);
  return table(
    ["Packets", "What", "Verdict", "Count", "Bytes"],
    shown.map(({ chain, what, verdict, packets, bytes }) => [
      CHAINS[chain] ?? chain,
      what,
      verdict,
      String(packets),
      String(bytes),
    ]),
  );
}

export function natLines(rules: readonly FirewallRule[]): readonly string[] {
  const shown = rules.filter(({ verdict }) => verdict === "map" || verdict === "masquerade");
  if (shown.length === 0) return ["Nothing is translated."];
  return table(
    ["What", "Connections", "Bytes of their first packets"],
    shown.map(({ what, packets, bytes }) => [what, String(packets), String(bytes)]),
  );
}

export function timeLines(servers: readonly TimeServerStatus[], now: string): readonly string[] {
  const clock = `The clock says ${now}.`;
  if (servers.length === 0) return [clock, "No time server is asked: set ntp servers NAME."];
  const rows = servers.map(({ server, state, stratum, offsetMs, roundTripMs, answeredForMs }) => [
    cut(server),
    state,
    stratum === undefined ? "-" : String(stratum),
    offsetMs === undefined ? "-" : `${offsetMs.toFixed(1)} ms`,
    roundTripMs === undefined ? "-" : `${Math.round(roundTripMs)} ms`,
    answeredForMs === undefined ? "-" : duration(answeredForMs),
  ]);
  const [head = "", ...lines] = table(["Server", "State", "Str", "Offset", "Trip", "Answered ago"], rows);
  const problems = servers.map(({ problem }) => (problem === undefined ? [] : wrap(problem, "    ")));
  return [clock, head, ...lines.flatMap((line, i) => [line, ...(problems[i] ?? [])])];
}

function cut(text: string): string {
  return text.length > LONGEST_NAME ? `${text.slice(0, LONGEST_NAME - 1)}~` : text;
}
