/**
 * Suite `windows-errors`: every error code of Windows that a PPTP server or the way to it can cause is provoked, and the device's
 * log names the last completed stage, the code and what to check. Which codes no server causes says `WINDOWS_ERRORS`.
 */
import { WINDOWS_ERRORS, type WindowsErrorCode } from "../../appliance/tunnel/windows-error.ts";
import { CpCode, type CpPacket } from "../../appliance/wire/cp-packet.ts";
import { defineLab, type LabOf } from "../lab.ts";
import { editControl, reset } from "../net/edit.ts";
import { chap, from, gre, lcp, pptp } from "../net/query.ts";
import { natBox } from "../net/services/nat-box.ts";
import type { RefusalCode } from "../net/services/radius-server.ts";
import { serviceHost } from "../net/services/service-host.ts";
import { drop, every, nth } from "../net/trap.ts";
import { device } from "../node/device.ts";
import { type Protection, STRONGEST } from "../peers/pppd.ts";
import { DialError, type Dialing, pptpLinux } from "../peers/pptp-linux.ts";
import { type Claim, check, defineSuite, type Scenario, type Stage, type Step } from "../scenario.ts";
import { awaitFailure, type ExpectedFailure } from "./device-log.ts";
import { policyCommands } from "./policies.ts";
import { pingAll } from "./tunnel-claims.ts";

const ADMIN_PASSWORD = "lab-Admin-1";
const DEVICE = "203.0.113.1";
const LAN = "192.168.1.1";
const HOME_ROUTER = "192.168.77.1";
const DIRECTORY = "192.168.1.10";
const RADIUS_SECRET = "lab-radius";
/** The one address of the pool. */
const POOL = "192.168.1.200";
const USER = "alice";
const CALL: Dialing = { server: DEVICE, user: USER, password: "s3cret", protection: STRONGEST, routes: [] };
/** The slowest: ten CHAP Challenges three seconds apart. */
const LOGGED_WITHIN_MS = 60_000;
/** One more than the device grants to one address. */
const TOO_MANY = 17;

/** mobile ── home 192.168.77.0/24 ── nat ── internet 203.0.113.0/24 ── wan device lan ── office 192.168.1.0/24 ── directory */
const lab = defineLab({
  nodes: {
    device: device(),
    mobile: pptpLinux({ address: "192.168.77.10/24", gateway: HOME_ROUTER }),
    nat: natBox({ inside: `${HOME_ROUTER}/24`, outside: "203.0.113.50/24" }),
    directory: serviceHost({ address: `${DIRECTORY}/24`, gateway: LAN, radius: { secret: RADIUS_SECRET } }),
  },
  links: {
    home: ["mobile.eth0", "nat.inside"],
    internet: ["nat.outside", "device.wan"],
    office: ["directory.eth0", "device.lan"],
  },
});
type Homes = LabOf<typeof lab>;

const CONFIGURATION = [
  `set interfaces wan address ${DEVICE}/24`,
  `set interfaces lan address ${LAN}/24`,
  "set vpn server enabled true",
  `set vpn server address ${LAN}`,
  `set vpn server pool start ${POOL}`,
  "set vpn server pool count 1",
  `set vpn account ${USER} password ${CALL.password}`,
];

const configured: Stage<Homes> = {
  claim: "the device is set up, and the mobile user reaches it through the NAT box",
  async run({ node }, step) {
    await step("set the administrator's password at the first login", () => node.device.console.login(ADMIN_PASSWORD));
    await step("enter and commit the configuration", () => node.device.console.configure(CONFIGURATION));
    await step("the mobile user pings the device", () => pingAll(node.mobile, DEVICE));
  },
};

interface Provocation {
  /** Begins with the code: `691-wrong-password`. */
  readonly name: `${WindowsErrorCode}-${string}`;
  /** Completes "error CODE: …". */
  readonly how: string;
  /** Lines that the administrator commits first. */
  readonly commit?: readonly string[];
  readonly before?: (lab: Homes) => Promise<void> | void;
  /** How the call differs from a good one. */
  readonly call?: Partial<Dialing>;
  readonly stage: string;
  readonly says: RegExp;
}

const NO_MPPE: Protection = { authentication: "mschap-v2", mppe: undefined };
const PAP: Protection = { authentication: "pap", mppe: undefined };
const RADIUS = [
  `set vpn radius server lab address ${DIRECTORY}`,
  `set vpn radius server lab secret ${RADIUS_SECRET}`,
  "set vpn radius timeout 1",
  "set vpn radius tries 1",
  "set vpn server accounts radius",
];

/** Whose RADIUS server refuses with this code. */
function refused(code: RefusalCode, name: string, how: string, says: RegExp): Provocation {
  return {
    name: `${code}-${name}`,
    how: `the RADIUS server says ${how}`,
    commit: RADIUS,
    before: ({ node }) => {
      if (node.directory.radius !== undefined) node.directory.radius.refusal = code;
    },
    stage: "lcp-opened",
    says,
  };
}

const HEADER_BYTES = 4;
const MAGIC = 5;

/** A Nak that suggests what was asked for, and another magic number: the same one would mean that the line loops. */
function refuseInstead(_packet: CpPacket, bytes: Buffer): void {
  bytes.writeUInt8(CpCode.configureNak, 0);
  for (let at = HEADER_BYTES; at + 2 <= bytes.length; at += Math.max(2, bytes.readUInt8(at + 1)))
    if (bytes.readUInt8(at) === MAGIC) bytes.writeUInt8(bytes.readUInt8(at + 2) ^ 0xff, at + 2);
}

const PROVOCATIONS: readonly Provocation[] = [
  {
    name: "619-reset-in-call",
    how: "a firewall resets TCP 1723 as soon as the call is up",
    before: ({ link }) => void link.home.trap(reset, nth(1), pptp.message("outgoing-call-reply"), from("nat")),
    stage: "call-established",
    says: /control connection.*; .*1723/,
  },
  {
    name: "628-hang-up",
    how: "the caller hangs up while it waits for the authentication",
    before: async ({ node, link }) => {
      link.home.trap(drop, every, chap.code("challenge"), from("nat"));
      await node.mobile.hangUpIn(8);
    },
    stage: "lcp-opened",
    says: /the peer (?:gave up the call|ended the session) during set-up.*; look at the peer's own log/,
  },
  refused(646, "logon-hours", "that the account may not log on at this hour", /may not log on at this hour/),
  {
    name: "647-disabled",
    how: "the account is disabled",
    commit: [`set vpn account ${USER} enabled false`],
    stage: "lcp-opened",
    says: /the account is disabled; .*enable it/,
  },
  refused(648, "password-expired", "that the password has expired", /password has expired; .*set a new password/),
  refused(649, "may-not-dial-in", "that the account may not dial in", /the account may not dial in/),
  {
    name: "691-wrong-password",
    how: "the password is wrong",
    call: { password: "wrong" },
    stage: "lcp-opened",
    says: /wrong user name or password.*; check user name and password/,
  },
  {
    name: "691-unknown-user",
    how: "nobody has this name",
    call: { user: "mallory" },
    stage: "lcp-opened",
    says: /wrong user name or password/,
  },
  {
    name: "718-answer-lost",
    how: "every CHAP Response is lost",
    before: ({ link }) => void link.home.trap(drop, every, chap.code("response"), from("mobile")),
    stage: "lcp-opened",
    says: /did not answer during authentication; .*packet loss/,
  },
  {
    name: "720-addresses-apart",
    how: "the caller insists on an address of its own",
    call: { options: "10.99.99.99:" },
    stage: "authenticated",
    says: /could not agree on IP addresses; .*check the address pool/,
  },
  {
    name: "732-circles",
    how: "every Configure-Ack of the caller becomes a Configure-Nak on the way",
    before: ({ link }) => {
      link.home.trap(editControl("make it a Nak", refuseInstead), every, lcp.code("configure-ack"), from("mobile"));
    },
    stage: "call-established",
    says: /could not agree on LCP options; .*trace the session/,
  },
  {
    name: "733-ipcp-rejected",
    how: "the caller does no IP",
    call: { options: "noip" },
    stage: "authenticated",
    says: /could not agree on IP addresses.*TCP\/IP/,
  },
  {
    name: "734-no-address",
    how: "the pool's only address belongs to somebody else",
    commit: ["set vpn account bob password s3cret", `set vpn account bob address ${POOL}`],
    stage: "authenticated",
    says: /no free address is left.*; make the pool larger/,
  },
  {
    name: "734-no-common-method",
    how: "the caller has PAP alone, the device wants MS-CHAPv2",
    call: { protection: PAP },
    stage: "call-established",
    says: /refuses every authentication method.*; allow the same method/,
  },
  {
    name: "734-radius-silent",
    how: "no RADIUS server answers",
    commit: RADIUS,
    before: ({ node }) => {
      if (node.directory.radius !== undefined) node.directory.radius.isSilent = true;
    },
    stage: "lcp-opened",
    says: /no RADIUS server answered; .*show vpn radius/,
  },
  {
    name: "741-40-bit",
    how: "the device has MPPE-40 alone, the caller MPPE-128 alone",
    commit: policyCommands("vpn server", { authentication: "mschap-v2", mppe: { bits: 40, stateful: false } }),
    stage: "authenticated",
    says: /no MPPE key length in common; .*128 bit/,
  },
  {
    name: "741-caller-without",
    how: "the device requires MPPE, the caller has none",
    call: { protection: NO_MPPE },
    stage: "authenticated",
    says: /refuses MPPE encryption.*; require encryption/,
  },
  {
    name: "742-server-without",
    how: "the caller requires MPPE, the device does none",
    commit: policyCommands("vpn server", NO_MPPE),
    stage: "authenticated",
    says: /requires MPPE encryption, and this device does none.*; set encryption/,
  },
  {
    name: "806-gre-blocked",
    how: "the NAT box lets no GRE pass",
    before: ({ node }) => {
      node.nat.nat.alg = "gre-blocked";
    },
    stage: "call-established",
    says: /no GRE packet of its came.*XP: 721.*protocol 47 \(GRE\)/,
  },
  {
    name: "806-gre-lost-to-caller",
    how: "GRE passes from the caller to the device, and not back",
    before: ({ link }) => void link.internet.trap(drop, every, gre.data, from("device")),
    stage: "call-established",
    says: /its GRE packets come, and those to it seem to be lost.*protocol 47 \(GRE\)/,
  },
  {
    name: "806-gre-lost-to-device",
    how: "GRE passes from the device to the caller, and not back",
    before: ({ link }) => void link.home.trap(drop, every, gre.data, from("mobile")),
    stage: "call-established",
    says: /no GRE packet of its came.*protocol 47 \(GRE\)/,
  },
  {
    name: "807-reset-before-call",
    how: "a firewall resets TCP 1723 before the call is up",
    before: ({ link }) => void link.home.trap(reset, nth(1), pptp.message("outgoing-call-request"), from("mobile")),
    stage: "control-established",
    says: /control connection.*; .*1723/,
  },
];

function provoked({ name, how, commit, before, call, stage, says }: Provocation): Scenario<Homes, "configured"> {
  const code = Number.parseInt(name, 10);
  return {
    name,
    claim: `error ${code}: ${how}, and the device's log names stage ${stage}, the code and what to check`,
    from: "configured",
    async run(labNow, step) {
      const { node } = labNow;
      if (commit !== undefined) await step("the administrator commits", () => node.device.console.configure(commit));
      await before?.(labNow);
      await callFails(labNow, step, { ...CALL, ...call });
      await logNames(labNow, step, { stage, code, says });
      labNow.link.home.heal();
      labNow.link.internet.heal();
      await step("the device has no session left", async () => {
        const shown = await node.device.console.run("show vpn");
        check(!/ (?:connected|connecting|disconnecting)\b/.test(shown), shown);
      });
    },
  };
}

async function callFails({ node }: Homes, step: Step, call: Dialing): Promise<void> {
  await step("the call does not come up", async () => {
    const error = await node.mobile.dial(call).catch((reason: unknown) => reason);
    if (!(error instanceof DialError) && error instanceof Error) throw error;
    check(error instanceof DialError, "it came up");
  });
}

async function logNames({ node, clock }: Homes, step: Step, wanted: ExpectedFailure): Promise<void> {
  await step(`\`show log\` names stage ${wanted.stage}, error ${wanted.code} and what to check`, () =>
    awaitFailure(node.device.console, clock, wanted, LOGGED_WITHIN_MS),
  );
}

const turnedAway: Scenario<Homes, "configured"> = {
  name: "629-turned-away",
  claim:
    "error 629: one address holds more idle connections than it may, and the device's log says that it is turned away",
  from: "configured",
  async run(labNow, step) {
    await step(`${TOO_MANY} connections of the mobile user say nothing`, () =>
      labNow.node.mobile.openIdle(DEVICE, TOO_MANY),
    );
    await logNames(labNow, step, {
      stage: "tcp-connected",
      code: 629,
      says: /turned away: 16 connections of this address/,
    });
  },
};

const switchedOff: Scenario<Homes, "configured"> = {
  name: "809-server-off",
  claim:
    "errors 809 and 808: the server is switched off, callers get nowhere, and the log says what Windows shows on which side",
  from: "configured",
  async run(labNow, step) {
    const { console } = labNow.node.device;
    await step("the administrator switches the server off", () => console.configure(["set vpn server enabled false"]));
    await callFails(labNow, step, CALL);
    await step("`show log` says what Windows shows", async () => {
      const log = await console.run("show log 10");
      check(/server is off: Windows shows error 809 from the WAN, Windows shows error 808 from the LAN/.test(log), log);
    });
  },
};

/** Codes that are shown by another scenario than those that are named after them. */
const SHOWN_ELSEWHERE: Readonly<Partial<Record<WindowsErrorCode, string>>> = {
  721: "what Windows XP shows instead of 806: the scenarios of 806 assert that the log says so",
  808: "scenario 809-server-off asserts it too",
  709: "pppd cannot change a password; it takes a Windows peer",
  829: "echo requests of 100 seconds; the unit tests have them",
};

const provokedCodes = new Set([...PROVOCATIONS.map(({ name }) => Number.parseInt(name, 10)), 629, 809]);

function notProvoked(): readonly (Claim & { readonly impossible: string })[] {
  return WINDOWS_ERRORS.filter(({ code }) => !provokedCodes.has(code)).map(({ code, name, when, notOurs }) => ({
    name: `${code}-${name.toLowerCase().replaceAll("_", "-")}`,
    claim: `error ${code}: ${when}`,
    impossible: SHOWN_ELSEWHERE[code] ?? notOurs ?? "",
  }));
}

export const windowsErrorsSuite = defineSuite({
  name: "windows-errors",
  title: "Every error code of Windows that a server can cause, and what the device's log says of it",
  lab,
  stages: { configured },
  scenarios: [...PROVOCATIONS.map(provoked), turnedAway, switchedOff, ...notProvoked()],
});
