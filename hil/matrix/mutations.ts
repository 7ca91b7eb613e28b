/** Defects that the matrix must notice: each is put into the image of the device under test, and its cells must fail. */
import type { SourceReplacement } from "../../image/compile.ts";
import { type Cell, cellWith } from "./cell.ts";

export interface Mutation {
  readonly name: string;
  /** Completes "a device that …". */
  readonly what: string;
  readonly defect: SourceReplacement;
  /** Each must fail with it, and pass without it. */
  readonly turnsRed: readonly Cell[];
}

const PLAIN = cellWith({});
const WRONG_PASSWORD = cellWith({ fault: "wrong-password" });

export const MUTATIONS: readonly Mutation[] = [
  {
    name: "ack-call-id",
    what: "acknowledges with its own Call ID instead of the peer's",
    defect: {
      file: "appliance/dataplane/user-space.ts",
      find: "const packet = { callId: address.peerCallId,",
      replace: "const packet = { callId: address.callId as number,",
    },
    turnsRed: [PLAIN],
  },
  {
    name: "mppe-directions",
    what: "takes the MPPE key of sending for receiving, and the other way round",
    defect: {
      file: "appliance/crypto/mppe-keys.ts",
      find: `    send: getAsymmetricStartKey(master, length, true, role === "server"),
    receive: getAsymmetricStartKey(master, length, false, role === "server"),`,
      replace: `    send: getAsymmetricStartKey(master, length, false, role === "server"),
    receive: getAsymmetricStartKey(master, length, true, role === "server"),`,
    },
    turnsRed: [PLAIN],
  },
  {
    name: "ipcp-before-ccp",
    what: "drops IPCP packets that come before CCP is open",
    defect: {
      file: "appliance/ppp/network-phase.ts",
      find: "if (protocol === Protocol.ccp) this.#peerWantsMppe ||= asksForMppe(packet);",
      replace: `if (protocol === Protocol.ccp) this.#peerWantsMppe ||= asksForMppe(packet);
    if (protocol === Protocol.ipcp && this.#ccp !== undefined && !this.#encrypted) return this.#out;`,
    },
    turnsRed: [cellWith({ peer: "culvert" })],
  },
  {
    name: "lcp-echo",
    what: "does not answer LCP Echo-Requests",
    defect: {
      file: "appliance/ppp/lcp.ts",
      find: `return state === "opened" ? [this.#echoReply(packet)] : [];`,
      replace: "return [];",
    },
    turnsRed: [PLAIN],
  },
  {
    name: "server-proof",
    what: "sends a wrong proof that it knows the password (S= of MS-CHAPv2)",
    defect: {
      file: "appliance/crypto/mschap.ts",
      find: ".update(SERVER_TO_CLIENT)",
      replace: ".update(ONE_MORE_ITERATION)",
    },
    turnsRed: [PLAIN],
  },
  {
    name: "any-password",
    what: "takes any password by PAP",
    defect: {
      file: "appliance/ppp/credentials.ts",
      find: `return sameSecret(request.password, Buffer.from(password)) ? accepted("") : WRONG_PASSWORD;`,
      replace: `return accepted("");`,
    },
    turnsRed: [cellWith({ auth: "pap", encryption: "none", fault: "wrong-password" })],
  },
  {
    name: "any-strength",
    what: "grants key lengths that its settings forbid",
    defect: {
      file: "appliance/ppp/ccp.ts",
      find: "const strength = strengthsIn(bits).find((candidate) => this.#strengths.includes(candidate));",
      replace: "const [strength] = strengthsIn(bits);",
    },
    turnsRed: [cellWith({ fault: "40-bit-only" })],
  },
  {
    name: "no-reset-request",
    what: "asks for no CCP reset when stateful MPPE lost step",
    defect: {
      file: "appliance/ppp/network-phase.ts",
      find: `if (ccp?.state === "opened")`,
      replace: `if (ccp?.state === "closed")`,
    },
    turnsRed: [cellWith({ encryption: "128-stateful", fault: "ccp-reset-lost" })],
  },
  {
    name: "key-change",
    what: "changes the key of stateless MPPE with every 256th packet alone",
    defect: {
      file: "appliance/ppp/mppe.ts",
      find: "const flushed = this.#stateless || isFlagPacket(this.#next);",
      replace: "const flushed = isFlagPacket(this.#next);",
    },
    turnsRed: [PLAIN],
  },
  {
    name: "mtu",
    what: "tells callers an MRU of 1500, whatever MTU is set",
    defect: { file: "appliance/tunnel/server.ts", find: "mru: mtu,", replace: "mru: 1500," },
    turnsRed: [cellWith({ mtu: "576" })],
  },
  {
    name: "session-stays",
    what: "keeps sessions that have ended",
    defect: {
      file: "appliance/tunnel/server.ts",
      find: "    this.#guests.delete(session.callId);\n",
      replace: "",
    },
    turnsRed: [PLAIN],
  },
  {
    name: "stage",
    what: "does not note that LCP opened",
    defect: {
      file: "appliance/tunnel/session.ts",
      find: `        this.#reach("lcp-opened");\n`,
      replace: "",
    },
    turnsRed: [WRONG_PASSWORD],
  },
  {
    name: "error-code",
    what: "says E=649 to a wrong password",
    defect: {
      file: "appliance/ppp/credentials.ts",
      find: "{ ok: false, errorCode: 691, message:",
      replace: "{ ok: false, errorCode: 649, message:",
    },
    turnsRed: [WRONG_PASSWORD],
  },
  {
    name: "reserved-addresses",
    what: "gives away addresses that belong to somebody",
    defect: {
      file: "appliance/tunnel/address-pool.ts",
      find: "!this.#taken.has(candidate) && !this.#reserved.has(candidate)",
      replace: "!this.#taken.has(candidate)",
    },
    turnsRed: [cellWith({ fault: "pool-empty" })],
  },
  {
    name: "set-link-info",
    what: "sends no Set-Link-Info as a client",
    defect: {
      file: "appliance/pptp/calls.ts",
      find: `if (call?.at === "established")
      this.#send({ type: "set-link-info"`,
      replace: `if (call?.at === "wait-disconnect")
      this.#send({ type: "set-link-info"`,
    },
    turnsRed: [cellWith({ peer: "poptop", role: "client", fault: "set-link-info-lost" })],
  },
];
