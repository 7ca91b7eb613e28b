/** Authenticator and authenticatee: the four methods, and everything that can go wrong between them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Millis } from "../../appliance/ports.ts";
import { Authenticator } from "../../appliance/ppp/authenticator.ts";
import { NO_KEYS } from "../../appliance/ppp/credentials.ts";
import type { AuthMethod } from "../../appliance/ppp/lcp.ts";
import { emitChapValue, emitMsChapV2Response, parseMsChapFailure } from "../../appliance/wire/chap.ts";
import type { CpPacket } from "../../appliance/wire/cp-packet.ts";
import { Protocol } from "../../appliance/wire/ppp-frame.ts";
import { AuthPair } from "../support/auth-pair.ts";
import { hex } from "../support/hex.ts";
import { packetOf } from "../support/link-end.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const METHODS: readonly AuthMethod[] = ["pap", "chap-md5", "mschap-v1", "mschap-v2"];

function keysOf(pair: AuthPair) {
  const server = pair.outcome("server");
  const client = pair.outcome("client");
  assert.ok(server?.type === "authenticated" && client?.type === "authenticated");
  return { server: server.keys, client: client.keys };
}

for (const method of METHODS) {
  for (const [user, password] of [
    ["alice", "s3cret"],
    ["CORP\\alice", "s3cret"],
    ["alice", "pässwörd€"],
    ["alice", ""],
    ["жанна", "пароль"],
  ] as const)
    test(`${method}: '${user}' with '${password}' is let in, with the same keys on both ends`, () => {
      const pair = new AuthPair(method, { user, password });
      pair.accounts.set(user.replace("CORP\\", ""), { password, expired: false });
      pair.start();
      const { server, client } = keysOf(pair);
      if (!method.startsWith("mschap")) {
        assert.equal(server, NO_KEYS);
        assert.equal(client, NO_KEYS);
        return;
      }
      for (const strength of [128, 56, 40] as const) {
        assert.deepEqual(server[strength]?.send, client[strength]?.receive);
        assert.deepEqual(server[strength]?.receive, client[strength]?.send);
      }
      assert.ok(server[128] !== undefined);
      const authenticated = pair.outcome("server");
      assert.ok(authenticated?.type === "authenticated");
      assert.equal(authenticated.userName.toString(), user, "octet for octet as it came");
    });
  for (const [what, client] of [
    ["a wrong password", { password: "S3cret" }],
    ["an unknown user", { user: "mallory" }],
  ] as const)
    test(`${method}: ${what} is refused with 691 and no keys`, () => {
      const pair = new AuthPair(method, client, { retries: 0 }).start();
      for (const side of ["server", "client"] as const) {
        const outcome = pair.outcome(side);
        assert.ok(outcome?.type === "failed" && outcome.failure.reason === "auth-refused");
        assert.equal(outcome.failure.errorCode, 691);
      }
    });
  test(`${method}: every packet lost for 20 s, still let in`, () => {
    const pair = new AuthPair(method);
    pair.wire = () => pair.now > 20_000;
    pair.start().advance(40_000);
    assert.equal(pair.outcome("server")?.type, "authenticated");
    assert.equal(pair.outcome("client")?.type, "authenticated");
  });
  test(`${method}: the answer lost, it is had by asking again; authenticated once on each end`, () => {
    const pair = new AuthPair(method);
    const good = method === "pap" ? 2 : 3;
    let lost = 0;
    pair.wire = (from, { code }) => !(from === "server" && code === good && lost++ < 2);
    pair.start().advance(20_000);
    for (const side of ["server", "client"] as const)
      assert.equal(pair.said[side].filter(({ type }) => type === "authenticated").length, 1, side);
    assert.ok(lost > 2);
  });
  test(`${method}: a peer that says nothing is a timeout on both ends`, () => {
    const pair = new AuthPair(method);
    pair.wire = () => false;
    pair.start().advance(29_999);
    assert.equal(pair.outcome("server"), undefined);
    pair.advance(1);
    for (const side of ["server", "client"] as const)
      assert.deepEqual(pair.outcome(side), { type: "failed", failure: { reason: "auth-timeout" } });
    assert.equal(pair.authenticator.deadline, undefined);
  });
}

test("a verdict that takes its time is waited for", () => {
  const authenticator = new Authenticator(
    { method: "pap", name: "culvert", resendMs: 3000, maxAttempts: 10, retries: 0 },
    new SeededRandom(1),
  );
  authenticator.start(Millis(0));
  const asked = authenticator.handle(Protocol.pap, { code: 1, identifier: 1, data: hex("01610162") });
  assert.equal(asked[0]?.type, "verify");
  for (let now = 1000; now < 20_000; now += 1000) assert.deepEqual(authenticator.tick(Millis(now)), []);
  const outputs = authenticator.verdict({ ok: true, message: "", keys: NO_KEYS }, Millis(20_000));
  assert.equal(outputs.at(-1)?.type, "authenticated");
});
test("a verdict nobody waits for does nothing", () => {
  const pair = new AuthPair("mschap-v2");
  assert.deepEqual(pair.authenticator.verdict({ ok: true, message: "", keys: NO_KEYS }, Millis(0)), []);
  pair.start();
  assert.deepEqual(pair.authenticator.verdict({ ok: true, message: "", keys: NO_KEYS }, Millis(0)), []);
});

test("MS-CHAPv2: a server that does not know the password is found out", () => {
  for (const proof of ["S=0000000000000000000000000000000000000000", "", "M=Access granted"]) {
    const pair = new AuthPair("mschap-v2");
    pair.wire = (from, packet) =>
      from === "server" && packet.code === 3 ? { ...packet, data: Buffer.from(proof) } : true;
    pair.start();
    assert.deepEqual(pair.outcome("client"), { type: "failed", failure: { reason: "server-not-authentic" } });
  }
});
test("MS-CHAPv2: a message behind the proof, as some servers add it, does no harm", () => {
  const pair = new AuthPair("mschap-v2");
  pair.wire = (from, packet) =>
    from === "server" && packet.code === 3
      ? { ...packet, data: Buffer.concat([packet.data, Buffer.from(" M=Access granted")]) }
      : true;
  pair.start();
  assert.equal(pair.outcome("client")?.type, "authenticated");
});
test("a Success nobody can have earned yet is ignored", () => {
  for (const method of ["mschap-v1", "mschap-v2"] as const) {
    const pair = new AuthPair(method);
    pair.authenticatee.start(Millis(0));
    assert.deepEqual(pair.authenticatee.handle(Protocol.chap, { code: 3, identifier: 0, data: hex("") }), []);
  }
});

/** The Response of a peer whose person types `password` after this Failure: to its challenge, with the next identifier. */
function retry(failure: CpPacket, password: string): CpPacket {
  const parsed = parseMsChapFailure(failure.data);
  assert.ok(parsed.ok && parsed.value.retryAllowed && parsed.value.challenge);
  const data = emitChapValue({ value: parsed.value.challenge, name: Buffer.from("") });
  const person = new AuthPair("mschap-v2", { password }).authenticatee;
  const identifier = (failure.identifier + 1) & 0xff;
  const [response] = person.handle(Protocol.chap, { code: 1, identifier, data });
  assert.ok(response?.type === "send");
  return packetOf(response.payload);
}
/** An exchange with one password after the other, as long as the server allows it. */
function tryAll(first: string, ...others: readonly string[]): AuthPair {
  const pair = new AuthPair("mschap-v2", { password: first });
  const failures: CpPacket[] = [];
  pair.wire = (from, packet) => {
    if (from !== "server" || packet.code !== 4) return true;
    failures.push(packet);
    return false;
  };
  pair.start();
  for (const password of others) {
    const failure = failures.shift();
    if (failure !== undefined) pair.inject(retry(failure, password));
  }
  return pair;
}
test("MS-CHAPv2: a wrong password may be tried again twice, each time to a new challenge and the next identifier", () => {
  const pair = tryAll("wrong", "also wrong", "s3cret");
  assert.deepEqual(
    pair.log.filter((entry) => entry.startsWith("server")),
    ["server 1", "server 4", "server 4", "server 3"],
  );
  assert.equal(pair.outcome("server")?.type, "authenticated");
});
test("MS-CHAPv2: the third wrong password is the last", () => {
  const pair = tryAll("wrong", "wrong 2", "wrong 3");
  const outcome = pair.outcome("server");
  assert.ok(outcome?.type === "failed" && outcome.failure.reason === "auth-refused");
  assert.equal(pair.log.filter((entry) => entry === "server 4").length, 3);
});
test("MS-CHAPv2: why a peer that may try again left is remembered", () => {
  const pair = new AuthPair("mschap-v2", { password: "wrong" }).start();
  assert.equal(pair.outcome("server"), undefined);
  assert.deepEqual(pair.authenticator.lastRefusal, {
    reason: "auth-refused",
    errorCode: 691,
    message: "Authentication failure",
  });
});
test("MS-CHAPv2: the old challenge is no good for a retry", () => {
  const pair = new AuthPair("mschap-v2", { password: "wrong" });
  let first: CpPacket | undefined;
  pair.wire = (from, packet) => {
    if (from === "client") first ??= packet;
    return true;
  };
  pair.start();
  assert.ok(first);
  const before = pair.said.server.length;
  pair.inject(first);
  assert.equal(pair.said.server.length, before, "an answer to what is no longer asked");
});

for (const [from, to] of [
  ["s3cret", "n3w"],
  ["pässwörd€", "nächstes€"],
] as const)
  test(`MS-CHAPv2: an expired '${from}' becomes '${to}' in passing`, () => {
    const pair = new AuthPair("mschap-v2", { password: from, newPassword: to });
    pair.accounts.set("alice", { password: from, expired: true });
    pair.start();
    assert.deepEqual(pair.accounts.get("alice"), { password: to, expired: false });
    const { server, client } = keysOf(pair);
    assert.deepEqual(server[128]?.send, client[128]?.receive);
    assert.deepEqual(pair.log, ["server 1", "client 2", "server 4", "client 7", "server 3"]);
  });
test("MS-CHAPv2: expired, and no new password: the error is 648", () => {
  const pair = new AuthPair("mschap-v2");
  pair.accounts.set("alice", { password: "s3cret", expired: true });
  pair.start();
  const outcome = pair.outcome("client");
  assert.ok(outcome?.type === "failed" && outcome.failure.reason === "auth-refused");
  assert.equal(outcome.failure.errorCode, 648);
});
test("MS-CHAPv2: a server that says 648 again after the change is left", () => {
  const pair = new AuthPair("mschap-v2", { newPassword: "n3w" });
  pair.wire = (from, packet) =>
    from === "server" && packet.code === 3
      ? { ...packet, code: 4, data: Buffer.from(`E=648 R=0 C=${"00".repeat(16)} V=3`) }
      : true;
  pair.accounts.set("alice", { password: "s3cret", expired: true });
  pair.start();
  const outcome = pair.outcome("client");
  assert.ok(outcome?.type === "failed" && outcome.failure.reason === "auth-refused");
  assert.equal(pair.log.filter((entry) => entry === "client 7").length, 1);
});

for (const method of ["chap-md5", "mschap-v1", "mschap-v2"] as const)
  test(`${method}: of Responses with every identifier only the one to our Challenge is looked at`, () => {
    const pair = new AuthPair(method, {}, { retries: 0 });
    pair.wire = () => false;
    pair.start();
    const value = emitMsChapV2Response({ peerChallenge: Buffer.alloc(16), ntResponse: Buffer.alloc(24), flags: 1 });
    const data = emitChapValue({ value, name: Buffer.from("alice") });
    for (let identifier = 0; identifier < 256; identifier++) pair.inject({ code: 2, identifier, data });
    assert.equal(pair.said.server.filter(({ type }) => type === "verify").length, 1);
  });
test("MS-CHAP: a Response of another length than 49 is ignored", () => {
  for (const method of ["mschap-v1", "mschap-v2"] as const) {
    const pair = new AuthPair(method);
    pair.wire = () => false;
    pair.start();
    for (const length of [0, 16, 48, 50, 255])
      for (let identifier = 0; identifier < 256; identifier++)
        pair.inject({
          code: 2,
          identifier,
          data: emitChapValue({ value: Buffer.alloc(length), name: Buffer.from("") }),
        });
    assert.deepEqual(pair.said.server, []);
  }
});
test("MS-CHAPv2: a repeated Challenge gets the same answer, so that a Success for either copy is good; a new one another", () => {
  const { authenticatee } = new AuthPair("mschap-v2");
  const answers = [1, 1, 2].map((octet, index) => {
    const data = emitChapValue({ value: Buffer.alloc(16, octet), name: Buffer.from("head") });
    const [output] = authenticatee.handle(Protocol.chap, { code: 1, identifier: index, data });
    assert.ok(output?.type === "send");
    return output.payload.subarray(4).toString("hex"); // behind code, identifier, length
  });
  assert.equal(answers[1], answers[0]);
  assert.notEqual(answers[2], answers[0]);
});
test("a method is spoken on its own protocol only", () => {
  const pap = new AuthPair("pap");
  pap.authenticator.start(Millis(0));
  assert.deepEqual(pap.authenticator.handle(Protocol.chap, { code: 1, identifier: 1, data: hex("01610162") }), []);
  const chap = new AuthPair("chap-md5");
  assert.deepEqual(chap.authenticator.handle(Protocol.pap, { code: 1, identifier: 1, data: hex("01610162") }), []);
  assert.deepEqual(chap.authenticatee.handle(Protocol.pap, { code: 2, identifier: 1, data: hex("") }), []);
});
test("PAP: an answer to another request is ignored", () => {
  const pair = new AuthPair("pap");
  pair.wire = () => false;
  pair.start();
  assert.deepEqual(pair.authenticatee.handle(Protocol.pap, { code: 2, identifier: 99, data: hex("00") }), []);
});
test("a Challenge of the wrong size for the method is not answered", () => {
  for (const [method, bytes] of [
    ["mschap-v1", 16],
    ["mschap-v2", 8],
  ] as const) {
    const data = emitChapValue({ value: Buffer.alloc(bytes), name: Buffer.from("x") });
    assert.deepEqual(new AuthPair(method).authenticatee.handle(Protocol.chap, { code: 1, identifier: 1, data }), []);
  }
});
