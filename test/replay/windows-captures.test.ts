/**
 * Real Windows clients, replayed: the messages of Windows 7 drive our server, and those of the servers in the captures drive
 * our client under the profiles of Windows 7 and 2000, at the times of the capture. What Windows took from luck (call ids,
 * magic numbers, challenges, GUIDs) is handed in as luck, so that everything else must be equal, byte by byte.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { UserSpaceDataPlane } from "../../appliance/dataplane/user-space.ts";
import { type GreSocket, Millis, type Random } from "../../appliance/ports.ts";
import type { EncryptionPolicy } from "../../appliance/ppp/ccp.ts";
import type { EncryptedDirection } from "../../appliance/ppp/network-phase.ts";
import { CallIds, LocalCallId, PeerCallId } from "../../appliance/pptp/call-id.ts";
import { PptpClient } from "../../appliance/tunnel/client.ts";
import { ConnectionId, type Effect } from "../../appliance/tunnel/effect.ts";
import { PptpServer } from "../../appliance/tunnel/server.ts";
import type { ClientSettings, ServerSettings } from "../../appliance/tunnel/settings.ts";
import { DEFAULT_REDIAL } from "../../appliance/tunnel/virtual-interface.ts";
import { parseControlMessage } from "../../appliance/wire/control-message.ts";
import { CpCode, emitCpPacket, parseCpPacket, parseOptions } from "../../appliance/wire/cp-packet.ts";
import { parseGre } from "../../appliance/wire/gre.ts";
import { formatIpv4, Ipv4, parseIpv4 } from "../../appliance/wire/ipv4.ts";
import { emitPppFrame, PLAIN_FRAMING, type PppFrame, Protocol, parsePppFrame } from "../../appliance/wire/ppp-frame.ts";
import { encryptionPolicy, profileOf } from "../../hil/peers/windows/versions.ts";
import { type CapturedPacket, readCapture } from "../support/capture.ts";
import { ALICE } from "../support/scripted-caller.ts";

const CLIENT = parseIpv4("192.168.43.39") ?? Ipv4(0);
const SERVER = parseIpv4("192.168.43.104") ?? Ipv4(0);
/** The new call begins here; before it, an older one is torn down. */
const FIRST_FRAME = 28;
const CLIENT_MAGIC = 0x75eb25d5;
const AUTHENTICATOR_CHALLENGE = Buffer.from("05b2f10bdc3d6c92b6cd160adee148b4", "hex");
const PEER_CHALLENGE = Buffer.from("789223b02a0cc515404bca2c696edcff", "hex");
const CORRELATION_ID = Buffer.from("96157121fdb78f47b5d0be36d2e97e50", "hex");
const INTERFACE_IDENTIFIER = Buffer.from("fcd3335cf10e5c31", "hex");
const CLIENT_CALL_ID = 40265;
const SERVER_CALL_ID = 29546;
const REQUIRED: EncryptionPolicy = { use: "required", strengths: [128], allowStateful: false, preferStateful: false };

/** Luck that was had once already: each request takes the next value of its length. */
class Replayed implements Random {
  readonly #values: Buffer[];
  constructor(...values: Buffer[]) {
    this.#values = values;
  }
  bytes(length: number): Buffer {
    const at = this.#values.findIndex((value) => value.length === length);
    return at < 0 ? Buffer.alloc(length, 0x5a) : Buffer.concat(this.#values.splice(at, 1));
  }
}

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
const u32 = (value: number): Buffer => Buffer.concat([u16(value >>> 16), u16(value & 0xffff)]);

/** A message as a line one can compare: every field, by name. */
function describeControl(bytes: Buffer): string {
  const message = parseControlMessage(bytes);
  assert.ok(message.ok);
  return JSON.stringify(message.value, (_key, value) =>
    value?.type === "Buffer" ? Buffer.from(value).toString("hex") : value,
  );
}

interface Frame {
  readonly packet: CapturedPacket;
  readonly protocol: number;
  readonly payload: Buffer;
  readonly ppp: Buffer;
}

function pppOf(packet: CapturedPacket): Frame | undefined {
  const gre = parseGre(packet.bytes);
  if (!gre.ok || gre.value.sequence === undefined) return undefined;
  const frame = parsePppFrame(gre.value.payload);
  return frame.ok ? { packet, ...frame.value, ppp: gre.value.payload } : undefined;
}

const capture = readCapture("windows7-to-rras-negotiation.pcap")?.filter(({ frame }) => frame >= FIRST_FRAME);
const skip = capture === undefined ? "the capture folder is not beside this checkout" : false;

/** What a profile's client and the captured one said, in order, each to the captured server. */
interface Replay {
  readonly windows: readonly Said[];
  readonly ours: readonly Said[];
  readonly client: PptpClient;
}
interface Said {
  readonly atMs: number;
  readonly words: string;
}

/** Our client dials when the captured one did, and hears the captured server when that one did. */
function replay(
  packets: readonly CapturedPacket[],
  side: { readonly client: Ipv4; readonly callId: number; readonly beginsMs: number },
  settings: ClientSettings,
  luck: Random,
): Replay {
  const callIds = new CallIds(new Replayed(u16(side.callId)), side.callId === 0 ? 0 : undefined);
  const client = new PptpClient(1, settings, luck, callIds, () => ConnectionId(1));
  const ours: Said[] = [];
  const windows: Said[] = [];
  const carryOut = (effects: readonly Effect[], atMs: number): void => {
    for (const effect of effects) {
      if (effect.type === "send-control") ours.push({ atMs, words: describeControl(effect.bytes) });
      if (effect.type === "send-frame")
        ours.push({ atMs, words: emitPppFrame(effect, effect.framing).toString("hex") });
    }
  };
  const advance = (untilMs: number): void => {
    for (let at = client.deadline; at !== undefined && at <= untilMs; at = client.deadline)
      carryOut(client.tick(at), at);
  };
  carryOut(client.dial(Millis(side.beginsMs)), side.beginsMs);
  carryOut(client.connected(ConnectionId(1), side.client, Millis(side.beginsMs)), side.beginsMs);
  for (const packet of packets) {
    const now = Millis(packet.atMs);
    advance(now);
    const frame = packet.kind === "gre" ? pppOf(packet) : undefined;
    const isWindows = packet.source === side.client;
    if (packet.kind === "pptp") {
      if (isWindows) windows.push({ atMs: now, words: describeControl(packet.bytes) });
      else carryOut(client.received(packet.bytes, now), now);
    } else if (frame !== undefined && frame.protocol !== Protocol.compressed) {
      if (isWindows) windows.push({ atMs: now, words: frame.ppp.toString("hex") });
      else carryOut(client.session(LocalCallId(side.callId), { type: "frame", ...frame }, now), now);
    }
  }
  return { windows, ours, client };
}

const WINDOWS_SETTINGS: ClientSettings = {
  name: "lab",
  server: SERVER,
  user: "vpnuser",
  password: "vpnuser123",
  newPassword: undefined,
  authentication: ["mschap-v2"],
  encryption: encryptionPolicy("windows-7", "Required"),
  mtu: 1400,
  routes: [],
  nat: false,
  dial: { mode: "manual", idleMs: undefined, ...DEFAULT_REDIAL },
  // This Windows had dialled 18 times before.
  profile: { ...profileOf("windows-7", "WIN-2RRBUS7N9GE"), firstSerial: 19 },
};

test("windows.md §1–§8: our client under the Windows 7 profile says what Windows 7 said", { skip }, (t) => {
  const luck = new Replayed(CORRELATION_ID, u32(CLIENT_MAGIC), PEER_CHALLENGE, INTERFACE_IDENTIFIER);
  const side = { client: CLIENT, callId: CLIENT_CALL_ID, beginsMs: capture?.[0]?.atMs ?? 0 };
  const { windows, ours, client } = replay(capture ?? [], side, WINDOWS_SETTINGS, luck);
  const words = (said: readonly Said[]): string[] => said.map((each) => each.words);
  t.diagnostic(`${windows.length} messages of Windows 7, ${ours.length} of ours`);
  assert.equal(windows.length, 21);
  assert.deepEqual(words(ours), words(windows));
  assert.equal(client.status()?.state, "connected");
  const apart = windows.map((said, index) => (ours[index]?.atMs ?? Number.NaN) - said.atMs);
  t.diagnostic(`ours minus Windows', in ms: ${apart.map((ms) => ms.toFixed(1)).join(" ")}`);
  assert.ok(
    apart.every((ms) => Math.abs(ms) < 3),
    "each within 3 ms of Windows",
  );
});

const oldCapture = readCapture("windows2000-to-poptop-control.pcap");
const skipOld = oldCapture === undefined ? "the capture folder is not beside this checkout" : false;

test("windows.md §1, §4: our client under the Windows 2000 profile says what Windows 2000 said", {
  skip: skipOld,
}, (t) => {
  const profile = profileOf("windows-2000", "PC-4");
  // A pre-release: its build is 2160.
  const endpoint = { ...profile.endpoint, firmwareRevision: 2160 };
  const luck = new Replayed(u32(0x021952cf), Buffer.from("29f76a9077f1472c835247f271d65607", "hex"));
  const settings = {
    ...WINDOWS_SETTINGS,
    server: parseIpv4("10.1.1.10") ?? Ipv4(0),
    encryption: encryptionPolicy("windows-2000", "Required"),
    profile: { ...profile, endpoint, firstSerial: 30760 },
  };
  // The server's packets are doubled by the point of capture.
  const seen = new Set<string>();
  const packets = (oldCapture ?? []).filter(({ bytes }) => {
    const isNew = !seen.has(bytes.toString("hex"));
    seen.add(bytes.toString("hex"));
    return isNew;
  });
  const side = { client: parseIpv4("10.1.1.11") ?? Ipv4(0), callId: 0, beginsMs: packets[0]?.atMs ?? 0 };
  const { windows, ours } = replay(packets, side, settings, luck);
  t.diagnostic(`${windows.length} messages of Windows 2000`);
  assert.deepEqual(
    ours.slice(0, windows.length).map((said) => said.words),
    windows.map((said) => said.words),
  );
  assert.equal(windows.length, 4);
});

test("a Windows 7 client drives our server to an open IPCP, and its MPPE data decrypts", { skip }, (t) => {
  const settings: ServerSettings = {
    enabled: true,
    localAddress: parseIpv4("192.168.43.108") ?? Ipv4(0),
    pool: { start: parseIpv4("192.168.43.111") ?? Ipv4(0), count: 1 },
    dns: [parseIpv4("192.168.43.110") ?? Ipv4(0)],
    wins: [],
    mtu: 1400,
    authentication: ["mschap-v2"],
    encryption: REQUIRED,
    callback: "cbcp",
    ipv6: "refuse",
    accountSources: ["local"],
    accounting: undefined,
  };
  const luck = new Replayed(u16(SERVER_CALL_ID), Buffer.from([0xff]), AUTHENTICATOR_CHALLENGE);
  const server = new PptpServer(settings, luck);
  const plane = new Plane(LocalCallId(SERVER_CALL_ID), CLIENT);
  const offers: PppFrame[] = [];
  const log: string[] = [];
  let keys: Extract<Effect, { type: "encrypt" }> | undefined;
  const carryOut = (effects: readonly Effect[] = []): void => {
    for (const effect of effects) {
      if (effect.type === "send-frame") offers.push(effect);
      if (effect.type === "encrypt") keys = effect;
      if (effect.type === "log") log.push(effect.text);
    }
  };
  const account = { ...ALICE, user: "vpnuser", password: "vpnuser123" };
  carryOut(server.configure(settings, [account], Millis(0)));
  carryOut(server.accept(ConnectionId(1), SERVER, CLIENT, Millis(0)).effects);
  const skipped: string[] = [];
  for (const [index, packet] of (capture ?? []).entries()) {
    if (packet.source !== CLIENT) continue;
    const now = Millis(index);
    const frame = packet.kind === "gre" ? pppOf(packet) : undefined;
    if (packet.kind === "pptp") carryOut(server.received(ConnectionId(1), packet.bytes, now));
    else if (frame !== undefined && frame.protocol !== Protocol.compressed) {
      const payload = asAnswerToUs(frame, offers);
      if (payload === undefined) skipped.push(`frame ${packet.frame} ${frame.ppp.toString("hex")}`);
      else
        carryOut(
          server.session(LocalCallId(SERVER_CALL_ID), { type: "frame", protocol: frame.protocol, payload }, now),
        );
    }
  }
  t.diagnostic(`skipped, as they refuse what our server does not offer: ${skipped.join("; ")}`);
  assert.deepEqual(
    skipped.map((line) => line.split(" ")[1]),
    ["39", "41", "63"],
    "MRRU, EAP and MPPC",
  );
  const [session] = server.sessions();
  assert.equal(session?.stage, "network-up", log.join("\n"));
  assert.equal(session?.address && formatIpv4(session.address), "192.168.43.111");
  assert.equal(session?.user, "vpnuser");

  assert.ok(keys);
  const far = new Plane(LocalCallId(CLIENT_CALL_ID), SERVER);
  const fromClient = plane.decrypt(keys.send, keys.receive, capture ?? []);
  const fromServer = far.decrypt(keys.receive, keys.send, capture ?? []);
  t.diagnostic(
    `decrypted to valid IPv4: ${fromClient.length} packets of the client, ${fromServer.length} of the server`,
  );
  assert.equal(fromClient.length, 22, "every one; the recording holds no data of the server");
  const [first, second] = fromClient;
  assert.equal(first?.[9], 2, "the first is an IGMPv3 report");
  assert.equal(second?.readUInt16BE(22), 67, "the second is a DHCPINFORM");
});

/** One end's data plane over the recorded GRE packets. */
class Plane {
  readonly #callId: LocalCallId;
  readonly #peer: Ipv4;
  constructor(callId: LocalCallId, peer: Ipv4) {
    this.#callId = callId;
    this.#peer = peer;
  }
  decrypt(
    send: EncryptedDirection,
    receive: EncryptedDirection,
    packets: readonly CapturedPacket[],
  ): readonly Buffer[] {
    const plain: Buffer[] = [];
    const mine = packets.filter(({ kind, source }) => kind === "gre" && source === this.#peer);
    const gre: GreSocket = {
      receive: (each) => {
        for (const { bytes } of mine.splice(0)) each(this.#peer, Buffer.from(bytes));
      },
      send: () => {},
      flush: () => {},
      close: () => {},
    };
    const plane = new UserSpaceDataPlane(gre, { control: () => {}, resetNeeded: () => {} });
    plane.open({ callId: this.#callId, peerCallId: PeerCallId(0), local: Ipv4(0), peer: this.#peer }, true);
    plane.encrypt(this.#callId, send, receive);
    const write = (packet: Buffer) => plain.push(Buffer.from(packet));
    plane.attach(this.#callId, { name: "t", receive: () => {}, write, close: () => {} }, PLAIN_FRAMING);
    plane.receive(Millis(0));
    plane.tick(Millis(1000)); // gaps of the recording
    assert.deepEqual(
      Object.keys(plane.counters(this.#callId)?.dropped ?? {}).filter((why) => why !== "lost"),
      [],
    );
    return plain;
  }
}

/**
 * The recorded frame as this server's peer would have sent it: an Ack takes the identifier of our request, and the magic
 * number in it, and loses the options only the recorded server had. `undefined`: it refuses what we did not offer.
 */
function asAnswerToUs(frame: Frame, offers: readonly PppFrame[]): Buffer | undefined {
  const packet = parseCpPacket(frame.payload);
  const negotiated = [Protocol.lcp, Protocol.ccp, Protocol.ipcp].some((protocol) => protocol === frame.protocol);
  if (
    !negotiated ||
    !packet.ok ||
    packet.value.code < CpCode.configureAck ||
    packet.value.code > CpCode.configureReject
  )
    return frame.payload;
  if (packet.value.code !== CpCode.configureAck) return undefined;
  const requests = offers
    .filter(({ protocol }) => protocol === frame.protocol)
    .map(({ payload }) => parseCpPacket(payload));
  const request = requests.findLast((each) => each.ok && each.value.code === CpCode.configureRequest);
  assert.ok(request?.ok, "an Ack to nothing");
  const isMagic = (type: number) => frame.protocol === Protocol.lcp && type === 5;
  const recorded = parseOptions(packet.value.data);
  const offered = parseOptions(request.value.data);
  assert.ok(recorded.ok && offered.ok);
  for (const { type, data } of offered.value) {
    const same = recorded.value.find((option) => option.type === type);
    assert.ok(
      same && (isMagic(type) || same.data.equals(data)),
      `Windows acknowledged another value of option ${type}`,
    );
  }
  return emitCpPacket({ ...request.value, code: CpCode.configureAck });
}
