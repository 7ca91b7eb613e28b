/** The RADIUS client against scripted servers: what is sent when, and which answers count. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { generateNtResponse, ntPasswordHash } from "../../appliance/crypto/mschap.ts";
import { radiusAuthenticator } from "../../appliance/crypto/radius.ts";
import { Millis } from "../../appliance/ports.ts";
import { type AuthRequest, mschapV2Keys, verifyPassword } from "../../appliance/ppp/credentials.ts";
import type { AccessAnswer } from "../../appliance/radius/access.ts";
import type { AccountingRecord } from "../../appliance/radius/accounting.ts";
import { RadiusClient, type RadiusOutput } from "../../appliance/radius/client.ts";
import type { RadiusSettings } from "../../appliance/radius/settings.ts";
import { RadiusCode } from "../../appliance/wire/radius.ts";
import { addressOf, numberOf, octetsOf, type RadiusAttribute } from "../../appliance/wire/radius-attribute.ts";
import { hex } from "../support/hex.ts";
import { ip } from "../support/link-end.ts";
import {
  credentialsIn,
  RADIUS,
  RADIUS_ONE,
  RADIUS_TWO,
  type RadiusRequest,
  readRequest,
  reply,
  verdictAttributes,
} from "../support/radius-server.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const SESSION = { number: 7, acctSessionId: "0badcafe00000001", peer: ip("198.51.100.7"), local: ip("203.0.113.1") };
const BOB = Buffer.from("OFFICE\\bob");
const PAP: AuthRequest = { method: "pap", userName: BOB, password: Buffer.from("b0b") };
const TWO = { ...RADIUS, servers: [RADIUS_ONE, RADIUS_TWO] };
type Send = Extract<RadiusOutput, { type: "send" }>;

class Bench {
  readonly client: RadiusClient;
  readonly sent: (Send & { readonly at: number })[] = [];
  readonly answers: [number, AccessAnswer][] = [];
  readonly log: string[] = [];
  now = 0;
  constructor(settings: RadiusSettings = RADIUS) {
    this.client = new RadiusClient(settings, new SeededRandom(3));
  }
  take(outputs: readonly RadiusOutput[]): this {
    for (const output of outputs) {
      if (output.type === "send") this.sent.push({ ...output, at: this.now });
      else if (output.type === "answer") this.answers.push([output.ticket, output.answer]);
      else this.log.push(output.text);
    }
    return this;
  }
  ask(request: AuthRequest = PAP, ticket = 1): this {
    return this.take(this.client.ask({ ticket, session: SESSION, request }, Millis(this.now)));
  }
  account(record: AccountingRecord): this {
    return this.take(this.client.account(record, Millis(this.now)));
  }
  advance(milliseconds: number): this {
    const until = this.now + milliseconds;
    for (let turn = 0; turn < 10_000; turn++) {
      const { deadline } = this.client;
      if (deadline === undefined || deadline > until) break;
      this.now = Math.max(this.now, deadline);
      this.take(this.client.tick(Millis(this.now)));
    }
    this.now = until;
    return this;
  }
  /** The latest request as its server reads it. */
  get request(): RadiusRequest {
    const last = this.sent.at(-1) ?? assert.fail("nothing was sent");
    return readRequest(last.bytes, last.to === RADIUS_TWO.address ? RADIUS_TWO.secret : RADIUS_ONE.secret);
  }
  receive(bytes: Buffer, from = RADIUS_ONE.address, port = 1812): this {
    const purpose = port === 1812 ? "access" : "accounting";
    return this.take(this.client.received(purpose, from, port, bytes, Millis(this.now)));
  }
  accept(...attributes: readonly RadiusAttribute[]): AccessAnswer {
    return this.receive(reply(this.request, RadiusCode.accessAccept, attributes)).answer;
  }
  get answer(): AccessAnswer {
    return this.answers.at(-1)?.[1] ?? assert.fail("no answer");
  }
}

// --- packets ---------------------------------------------------------------------------------------------------------

test("RFC 2865 §4 an Access-Request says who asks for what, from where, for which session", () => {
  const { request, sent } = new Bench({ ...RADIUS, nasAddress: ip("192.168.1.1") }).ask();
  assert.deepEqual(
    [sent.length, sent[0]?.to, sent[0]?.port, sent[0]?.purpose],
    [1, RADIUS_ONE.address, 1812, "access"],
  );
  const { attributes } = request;
  const text = (kind: Parameters<typeof octetsOf>[1]) => octetsOf(attributes, kind)?.toString();
  assert.equal(text("user-name"), "OFFICE\\bob");
  assert.equal(text("nas-identifier"), "culvert");
  assert.equal(text("calling-station-id"), "198.51.100.7");
  assert.equal(text("called-station-id"), "203.0.113.1");
  assert.equal(text("acct-session-id"), "0badcafe00000001");
  assert.equal(addressOf(attributes, "nas-ip-address"), ip("192.168.1.1"));
  const numbers = ["service-type", "framed-protocol", "nas-port", "nas-port-type"] as const;
  assert.deepEqual(
    numbers.map((kind) => numberOf(attributes, kind)),
    [2, 1, 7, 5],
  );
  assert.doesNotMatch(sent[0]?.bytes.toString("latin1") ?? "", /b0b/);
});

const V2_CHALLENGE = Buffer.alloc(16, 1);
const V2_PEER = Buffer.alloc(16, 2);
const V2: AuthRequest = {
  method: "mschap-v2",
  userName: BOB,
  identifier: 9,
  challenge: V2_CHALLENGE,
  peerChallenge: V2_PEER,
  ntResponse: generateNtResponse(
    { authenticatorChallenge: V2_CHALLENGE, peerChallenge: V2_PEER, userName: Buffer.from("bob") },
    ntPasswordHash("b0b"),
  ),
};
for (const request of [
  PAP,
  { method: "chap-md5", userName: BOB, identifier: 4, challenge: hex("0102030405"), response: Buffer.alloc(16, 6) },
  { method: "mschap-v1", userName: BOB, identifier: 5, challenge: Buffer.alloc(8, 7), ntResponse: Buffer.alloc(24, 8) },
  V2,
] as const)
  test(`${request.method}: what the server finds in the request is what the caller said`, () =>
    assert.deepEqual(credentialsIn(new Bench().ask(request).request), request));

test("RFC 2548 §2.3.3 MS-CHAP2-Success goes to the caller as it is, and the keys are the caller's", () => {
  const bench = new Bench().ask(V2);
  const verdict = verifyPassword(credentialsIn(bench.request), "b0b");
  assert.ok(verdict.ok);
  const answer = bench.accept(...verdictAttributes(bench.request, verdict));
  assert.ok(answer.result === "accepted");
  assert.equal(answer.verdict.message, verdict.message);
  const { send, receive } = mschapV2Keys("b0b", V2.ntResponse, "client")[128] ?? assert.fail();
  const ours = answer.verdict.keys[128] ?? assert.fail();
  assert.deepEqual([ours.send, ours.receive], [receive, send], "what one sends with, the other receives with");
  for (const bits of [40, 56] as const)
    assert.deepEqual(
      answer.verdict.keys[bits],
      verdict.keys[bits],
      "the short keys are the beginning of the long ones",
    );
});

test("an Accept without MS-CHAP2-Success, or with that of another Response, cannot be used", () => {
  for (const octets of [undefined, Buffer.from(`\x08S=${"0".repeat(40)}`), Buffer.from("\x09S=00")]) {
    const bench = new Bench().ask(V2);
    const attributes = octets === undefined ? [] : [{ kind: "ms-chap2-success", octets } as const];
    const answer = bench.accept(...attributes);
    assert.ok(answer.result === "unusable");
    assert.match(answer.text, /no MS-CHAP2-Success/);
  }
});

test("MS-MPPE-Encryption-Types takes away keys of other lengths", () => {
  const bench = new Bench().ask(V2);
  const verdict = verifyPassword(credentialsIn(bench.request), "b0b");
  const types = { kind: "ms-mppe-encryption-types", number: 4 } as const;
  const answer = bench.accept(...verdictAttributes(bench.request, verdict), types);
  assert.deepEqual(answer.result === "accepted" && Object.keys(answer.verdict.keys), ["128"]);
});

for (const [error, code] of [
  ["E=647 R=0 C=00 V=3 M=off", 647],
  ["E=648 R=0", 648],
  ["E=12 R=1", 691],
  ["nonsense", 691],
] as const)
  test(`MS-CHAP-Error "${error}" is ${code}`, () => {
    const bench = new Bench().ask(V2);
    const octets = Buffer.from(`\x09${error}`);
    const answer = bench.receive(
      reply(bench.request, RadiusCode.accessReject, [{ kind: "ms-chap-error", octets }]),
    ).answer;
    assert.deepEqual(answer.result === "rejected" && answer.verdict.errorCode, code);
  });

test("an Access-Challenge is a refusal: no caller of PPTP could answer it", () => {
  const bench = new Bench().ask();
  bench.receive(reply(bench.request, RadiusCode.accessChallenge, [{ kind: "state", octets: hex("01") }]));
  assert.equal(bench.answer.result, "rejected");
});

test("a change of the password is not put to a server, and the caller is told 709", () => {
  const change = { encryptedPassword: Buffer.alloc(516), encryptedHash: Buffer.alloc(16) };
  const bench = new Bench().ask({ ...V2, change } as AuthRequest);
  assert.deepEqual([bench.sent.length, bench.answer.result === "rejected" && bench.answer.verdict.errorCode], [0, 709]);
});

test("grants: address, routes, time-outs, name servers, Class; what cannot be is left out", () => {
  const route = (text: string) => ({ kind: "framed-route", octets: Buffer.from(text) }) as const;
  const answer = new Bench()
    .ask()
    .accept(
      { kind: "framed-ip-address", address: ip("10.1.2.3") },
      route("10.9.0.0/16 0.0.0.0 1"),
      route("0.0.0.0/0 0.0.0.0 1"),
      route("224.0.0.0/4"),
      route("home"),
      { kind: "session-timeout", number: 3600 },
      { kind: "idle-timeout", number: 0 },
      { kind: "acct-interim-interval", number: 5 },
      { kind: "ms-mppe-encryption-policy", number: 2 },
      { kind: "ms-primary-dns-server", address: ip("10.0.0.53") },
      { kind: "class", octets: hex("01") },
      { kind: "class", octets: hex("02") },
    );
  assert.deepEqual(answer.result === "accepted" && answer.grants, {
    server: "one",
    address: ip("10.1.2.3"),
    routes: [{ address: ip("10.9.0.0"), length: 16 }],
    dns: [ip("10.0.0.53")],
    sessionTimeoutMs: 3_600_000,
    idleTimeoutMs: undefined,
    interimMs: 60_000,
    requireEncryption: true,
    classes: [hex("01"), hex("02")],
  });
});

test("255.255.255.254 and 255.255.255.255 leave the address to the pool; one that is none cannot be used", () => {
  for (const text of ["255.255.255.254", "255.255.255.255"]) {
    const answer = new Bench().ask().accept({ kind: "framed-ip-address", address: ip(text) });
    assert.ok(answer.result === "accepted" && answer.grants.address === undefined);
  }
  for (const text of ["0.0.0.0", "127.0.0.1", "224.0.0.1"])
    assert.equal(new Bench().ask().accept({ kind: "framed-ip-address", address: ip(text) }).result, "unusable", text);
  assert.equal(new Bench().ask().accept({ kind: "service-type", number: 1 }).result, "unusable");
});

// --- which answers count ---------------------------------------------------------------------------------------------

for (const [name, change] of [
  ["from another address", (b: Bench) => b.receive(reply(b.request, 2), ip("10.0.0.99"))],
  ["from another port", (b: Bench) => b.receive(reply(b.request, 2), RADIUS_ONE.address, 1645)],
  ["on the accounting socket", (b: Bench) => b.receive(reply(b.request, 2), RADIUS_ONE.address, 1813)],
  ["of another identifier", (b: Bench) => b.receive(reply({ ...b.request, identifier: b.request.identifier + 1 }, 2))],
  ["to another authenticator", (b: Bench) => b.receive(reply({ ...b.request, authenticator: Buffer.alloc(16) }, 2))],
  ["with another secret", (b: Bench) => b.receive(reply(b.request, 2, [], { secret: "wrong" }))],
  ["without Message-Authenticator (BlastRADIUS)", (b: Bench) => b.receive(reply(b.request, 2, [], { sign: false }))],
  ["that is a request", (b: Bench) => b.receive(reply(b.request, 1))],
  ["that is noise", (b: Bench) => b.receive(hex("020000"))],
] as const)
  test(`an answer ${name} is ignored, and the right one still counts`, () => {
    const bench = new Bench().ask();
    change(bench);
    assert.deepEqual(bench.answers, []);
    assert.equal(bench.accept().result, "accepted");
    bench.receive(reply(bench.request, RadiusCode.accessReject));
    assert.equal(bench.answers.length, 1, "a second answer changes nothing");
  });

test("a Message-Authenticator that is there must be right, even where it is optional", () => {
  const optional = { ...RADIUS, servers: [{ ...RADIUS_ONE, requireMessageAuthenticator: false }] };
  const bench = new Bench(optional).ask();
  const forged = reply(
    bench.request,
    RadiusCode.accessAccept,
    [{ kind: "message-authenticator", octets: Buffer.alloc(16, 1) }],
    {
      sign: false,
    },
  );
  // `reply` signs the one it finds: spoil it, and make the outer checksum fit again.
  const spoiled = Buffer.from(forged);
  spoiled[22] = (spoiled[22] ?? 0) ^ 1;
  bench.receive(resign(spoiled, bench.request.authenticator));
  assert.deepEqual([bench.answers.length, bench.log.length], [0, 1]);
  assert.match(bench.log[0] ?? "", /Message-Authenticator is wrong/);
  bench.receive(reply(bench.request, RadiusCode.accessAccept, [], { sign: false }));
  assert.equal(bench.answer.result, "accepted");
});

test("a run of distrusted answers is one line of the log, with what to do", () => {
  const bench = new Bench().ask();
  for (let n = 0; n < 5; n++) bench.receive(reply(bench.request, 2, [], { secret: "wrong" }));
  assert.equal(bench.log.length, 1);
  assert.match(bench.log[0] ?? "", /RADIUS server one \(10\.0\.0\.11\).*compare the shared secret/);
  assert.equal(bench.client.status(Millis(0)).servers[0]?.distrusted, 5);
});

test("300 questions at once: 256 identifiers are all different, and the others wait for nobody", () => {
  const bench = new Bench();
  for (let ticket = 1; ticket <= 300; ticket++) bench.ask(PAP, ticket);
  assert.equal(new Set(bench.sent.map(({ bytes }) => bytes[1])).size, 256);
  assert.equal(bench.sent.length, 256);
  assert.equal(bench.answers.filter(([, { result }]) => result === "unanswered").length, 44);
  const authenticators = bench.sent.map(({ bytes }) => bytes.subarray(4, 20).toString("hex"));
  assert.equal(new Set(authenticators).size, 256);
});

test("answers in any order find their questions", () => {
  const bench = new Bench().ask(PAP, 1).ask(PAP, 2);
  const [first, second] = bench.sent.map(({ bytes }) => readRequest(bytes));
  assert.ok(first && second);
  bench.receive(reply(second, RadiusCode.accessReject)).receive(reply(first, RadiusCode.accessAccept));
  assert.deepEqual(
    bench.answers.map(([ticket, { result }]) => [ticket, result]),
    [
      [2, "rejected"],
      [1, "accepted"],
    ],
  );
});

// --- silence ---------------------------------------------------------------------------------------------------------

test("RFC 2865 §2.4 the same packet again after 2, 4 s, the other server after 8 more, then nobody is left", () => {
  const bench = new Bench(TWO).ask().advance(60_000);
  const to = bench.sent.map(({ to: server }) => (server === RADIUS_ONE.address ? "one" : "two"));
  assert.deepEqual(to, ["one", "one", "one", "two", "two", "two"]);
  const [a, b, c, d] = bench.sent;
  assert.deepEqual(a?.bytes, b?.bytes);
  assert.deepEqual(a?.bytes, c?.bytes);
  assert.notDeepEqual(a?.bytes.subarray(4, 20), d?.bytes.subarray(4, 20), "another server, another authenticator");
  const waits = bench.sent.slice(1).map(({ at }, i) => at - (bench.sent[i]?.at ?? 0));
  for (const [i, nominal] of [2000, 4000, 8000, 2000, 4000].entries())
    assert.ok(Math.abs((waits[i] ?? 0) - nominal) <= nominal * 0.1 + 0.001, `wait ${i}: ${waits[i]}`);
  assert.notEqual(waits[0], waits[3], "with jitter");
  assert.deepEqual(bench.answers, [[1, { result: "unanswered" }]]);
  assert.deepEqual(
    bench.log.map((line) => line.replace(/ \(.*/, "")),
    ["RADIUS server one", "RADIUS server two"],
  );
});

test("a silent server is asked last for its dead time, and first again after it or after any answer", () => {
  const bench = new Bench(TWO).ask().advance(16_000);
  assert.equal(bench.sent.at(-1)?.to, RADIUS_TWO.address);
  bench.receive(reply(bench.request, 2, [], { secret: RADIUS_TWO.secret }), RADIUS_TWO.address);
  const states = () => bench.client.status(Millis(bench.now)).servers.map(({ state }) => state);
  assert.deepEqual([bench.answer.result, states()], ["accepted", ["silent", "answers"]]);
  bench.ask(PAP, 2);
  assert.equal(bench.sent.at(-1)?.to, RADIUS_TWO.address);
  bench.receive(reply(bench.request, 2, [], { secret: RADIUS_TWO.secret }), RADIUS_TWO.address).advance(120_000);
  bench.ask(PAP, 3);
  assert.equal(bench.sent.at(-1)?.to, RADIUS_ONE.address);
});

test("no servers: unanswered at once; a server that goes takes no question with it", () => {
  assert.deepEqual(new Bench({ ...RADIUS, servers: [] }).ask().answer, { result: "unanswered" });
  const bench = new Bench().ask();
  bench.take(bench.client.configure({ ...RADIUS, servers: [RADIUS_TWO] }, Millis(0)));
  assert.equal(bench.sent.at(-1)?.to, RADIUS_TWO.address);
  bench.receive(reply(bench.request, 2, [], { secret: RADIUS_TWO.secret }), RADIUS_TWO.address);
  assert.equal(bench.answer.result, "accepted");
});

// --- accounting ------------------------------------------------------------------------------------------------------

const record = (event: "start" | "interim" | "stop", n = 1): AccountingRecord => ({
  event,
  session: { ...SESSION, acctSessionId: `s${n}` },
  userName: BOB,
  address: ip("192.168.1.200"),
  authenticatedBy: "radius",
  classes: [hex("c1a5"), hex("55")],
  connectedForMs: 61_999,
  cause: event === "stop" ? 5 : undefined,
  traffic: { receivedPackets: 1, receivedBytes: 5 * 2 ** 32 + 7, sentPackets: 2, sentBytes: 3 },
});
const STATUS = { start: 1, stop: 2, interim: 3 };

test("RFC 2866 §5.10 a Stop says how long, how much in both directions, and why; Class comes back as it was", () => {
  const { sent, request } = new Bench().account(record("stop"));
  assert.equal(sent[0]?.port, 1813);
  const { attributes } = request;
  const number = (kind: Parameters<typeof numberOf>[1]) => numberOf(attributes, kind);
  assert.deepEqual(
    [number("acct-status-type"), number("acct-session-time"), number("acct-terminate-cause"), number("acct-authentic")],
    [2, 61, 5, 1],
  );
  assert.deepEqual(
    [
      number("acct-input-octets"),
      number("acct-input-gigawords"),
      number("acct-output-octets"),
      number("acct-output-gigawords"),
    ],
    [7, 5, 3, 0],
  );
  assert.deepEqual([number("acct-input-packets"), number("acct-output-packets"), number("acct-delay-time")], [1, 2, 0]);
  assert.deepEqual(
    attributes.flatMap((each) => (each.kind === "class" ? [each.octets.toString("hex")] : [])),
    ["c1a5", "55"],
  );
});

test("a record that nobody takes is told again, with the time it waited, until somebody confirms it", () => {
  const bench = new Bench().account(record("stop")).advance(120_000);
  const first = bench.sent.length;
  assert.ok(first > 3);
  bench.advance(900_000);
  assert.ok(bench.sent.length > first);
  const waited = numberOf(bench.request.attributes, "acct-delay-time") ?? 0;
  assert.ok(waited > 100 && waited < 1100, `${waited} s`);
  assert.equal(bench.client.status(Millis(bench.now)).waiting, 1);
  // Whenever it comes, in time for the request that is under way.
  for (let turn = 0; turn < 100 && bench.client.status(Millis(bench.now)).waiting > 0; turn++) {
    const before = bench.sent.length;
    bench.advance(10_000);
    if (bench.sent.length > before)
      bench.receive(reply(bench.request, RadiusCode.accountingResponse, [], { sign: false }), RADIUS_ONE.address, 1813);
  }
  assert.equal(bench.client.status(Millis(bench.now)).waiting, 0);
  const sent = bench.sent.length;
  assert.equal(bench.advance(3_600_000).sent.length, sent, "and never again");
});

test("a newer record takes the place of an interim one that waits; starts and stops stay", () => {
  const bench = new Bench().account(record("start")).account(record("interim")).advance(20_000);
  bench.account(record("interim")).advance(20_000).account(record("stop"));
  assert.equal(bench.client.status(Millis(bench.now)).waiting, 2);
});

test("1000 records wait at most: interim ones are given up first, and the loss is counted", () => {
  const bench = new Bench();
  for (let n = 0; n < 1000; n++) bench.account(record(n % 2 ? "start" : "interim", n));
  for (let n = 1000; n < 1010; n++) bench.account(record("stop", n));
  const { waiting, lost } = bench.client.status(Millis(0));
  assert.deepEqual([waiting, lost], [1000, 10]);
  assert.ok(bench.sent.length <= 16, "no more than 16 at once");
  const kinds = new Set(bench.sent.map(({ bytes }) => numberOf(readRequest(bytes).attributes, "acct-status-type")));
  assert.ok([...kinds].every((kind) => Object.values(STATUS).includes(kind ?? 0)));
});

function resign(packet: Buffer, request: Buffer): Buffer {
  const signed = Buffer.from(packet);
  radiusAuthenticator(signed, request, RADIUS_ONE.secret).copy(signed, 4);
  return signed;
}
