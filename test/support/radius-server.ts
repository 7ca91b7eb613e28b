/** A RADIUS server played by the test: it reads requests as a server with their secret does, and signs what it is told to answer. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  authenticatorAttributeAt,
  checkRequestAuthenticator,
  hideMppeKey,
  messageAuthenticator,
  radiusAuthenticator,
  revealUserPassword,
} from "../../appliance/crypto/radius.ts";
import type { DatagramTransport } from "../../appliance/ports.ts";
import { type AuthRequest, type AuthVerdict, accountName, verifyPassword } from "../../appliance/ppp/credentials.ts";
import type { RadiusServerSettings, RadiusSettings } from "../../appliance/radius/settings.ts";
import type { Ipv4 } from "../../appliance/wire/ipv4.ts";
import { emitRadiusPacket, parseRadiusPacket, RadiusCode } from "../../appliance/wire/radius.ts";
import {
  emitRadiusAttribute,
  interpretRadiusAttributes,
  MESSAGE_AUTHENTICATOR,
  octetsOf,
  type RadiusAttribute,
} from "../../appliance/wire/radius-attribute.ts";
import { ip } from "./link-end.ts";

const SECRET = "xyzzy5461";
export const RADIUS_ONE: RadiusServerSettings = {
  name: "one",
  address: ip("10.0.0.11"),
  authenticationPort: 1812,
  accountingPort: 1813,
  secret: SECRET,
  requireMessageAuthenticator: true,
};
export const RADIUS_TWO: RadiusServerSettings = {
  ...RADIUS_ONE,
  name: "two",
  address: ip("10.0.0.12"),
  secret: "other",
};
export const RADIUS: RadiusSettings = {
  servers: [RADIUS_ONE],
  timeoutMs: 2000,
  tries: 3,
  deadTimeMs: 120_000,
  nasIdentifier: "culvert",
  nasAddress: undefined,
  dynamicPort: undefined,
};
export const NO_RADIUS: RadiusSettings = { ...RADIUS, servers: [] };

export interface RadiusRequest {
  readonly code: number;
  readonly identifier: number;
  readonly authenticator: Buffer;
  readonly attributes: readonly RadiusAttribute[];
}

/** Fails the test when a request is not what a server may get. */
export function readRequest(bytes: Buffer, secret = SECRET): RadiusRequest {
  const packet = parseRadiusPacket(bytes);
  assert.ok(packet.ok, bytes.toString("hex"));
  const { code, identifier, authenticator } = packet.value;
  const attributes = interpretRadiusAttributes(packet.value.attributes);
  if (code === RadiusCode.accessRequest) {
    assert.equal(attributes[0]?.kind, "message-authenticator", "it goes first");
    const at = authenticatorAttributeAt(bytes, MESSAGE_AUTHENTICATOR) ?? assert.fail();
    assert.deepEqual(messageAuthenticator(bytes, at, authenticator, secret), bytes.subarray(at, at + 16));
  } else assert.ok(checkRequestAuthenticator(bytes, secret), "signed by the secret");
  return { code, identifier, authenticator: Buffer.from(authenticator), attributes };
}

/** An answer to `request`; `sign` false leaves the Message-Authenticator out, as servers before 2024 do. */
export function reply(
  request: Pick<RadiusRequest, "identifier" | "authenticator">,
  code: number,
  attributes: readonly RadiusAttribute[] = [],
  { secret = SECRET, sign = true }: { secret?: string; sign?: boolean } = {},
): Buffer {
  const empty = { kind: "message-authenticator", octets: Buffer.alloc(16) } as const;
  const all = (sign ? [...attributes, empty] : attributes).map(emitRadiusAttribute);
  const bytes = emitRadiusPacket({ ...request, code, attributes: all });
  const at = authenticatorAttributeAt(bytes, MESSAGE_AUTHENTICATOR);
  if (at !== undefined) messageAuthenticator(bytes, at, request.authenticator, secret).copy(bytes, at);
  radiusAuthenticator(bytes, request.authenticator, secret).copy(bytes, 4);
  return bytes;
}

/** A request of the server's own: Disconnect or CoA. */
export function dynamicRequest(
  code: number,
  attributes: readonly RadiusAttribute[],
  identifier = 1,
  secret = SECRET,
): Buffer {
  const bytes = emitRadiusPacket({
    code,
    identifier,
    authenticator: Buffer.alloc(16),
    attributes: attributes.map(emitRadiusAttribute),
  });
  radiusAuthenticator(bytes, Buffer.alloc(16), secret).copy(bytes, 4);
  return bytes;
}

/** The credentials in a request, as our own authenticator would have them. */
export function credentialsIn({ attributes, authenticator }: RadiusRequest, secret = SECRET): AuthRequest {
  const octets = (kind: Parameters<typeof octetsOf>[1]) => octetsOf(attributes, kind);
  const userName = octets("user-name") ?? assert.fail("no User-Name");
  const hidden = octets("user-password");
  if (hidden !== undefined) {
    const plain = revealUserPassword(hidden, authenticator, secret) ?? assert.fail();
    return { method: "pap", userName, password: Buffer.from(plain.toString("latin1").replace(/\0+$/, ""), "latin1") };
  }
  const chap = octets("chap-password");
  if (chap !== undefined) {
    const challenge = octets("chap-challenge") ?? authenticator;
    return { method: "chap-md5", userName, identifier: chap[0] ?? 0, challenge, response: chap.subarray(1) };
  }
  const challenge = octets("ms-chap-challenge") ?? assert.fail("no credentials");
  const [v1, v2] = [octets("ms-chap-response"), octets("ms-chap2-response")];
  const value = v1 ?? v2 ?? assert.fail("no response");
  const identifier = value[0] ?? 0;
  const ntResponse = value.subarray(26, 50);
  if (v1 !== undefined) return { method: "mschap-v1", userName, identifier, challenge, ntResponse };
  return { method: "mschap-v2", userName, identifier, challenge, peerChallenge: value.subarray(2, 18), ntResponse };
}

/** What a verdict looks like in an Access-Accept or -Reject. */
export function verdictAttributes(
  request: RadiusRequest,
  verdict: AuthVerdict,
  secret = SECRET,
): readonly RadiusAttribute[] {
  const credentials = credentialsIn(request, secret);
  const identifier = Buffer.from([credentials.method === "pap" ? 0 : credentials.identifier]);
  const text = (message: string): Buffer => Buffer.concat([identifier, Buffer.from(message, "latin1")]);
  if (!verdict.ok)
    return credentials.method.startsWith("mschap")
      ? [{ kind: "ms-chap-error", octets: text(`E=${verdict.errorCode} R=0 C=${"0".repeat(32)} V=3 M=no`) }]
      : [];
  if (credentials.method !== "mschap-v2") return [];
  const keys = verdict.keys[128] ?? assert.fail();
  const key = (kind: "ms-mppe-send-key" | "ms-mppe-recv-key", value: Uint8Array, salt: number): RadiusAttribute => ({
    kind,
    octets: hideMppeKey(value, Buffer.from([0x80, salt]), request.authenticator, secret),
  });
  return [
    { kind: "ms-chap2-success", octets: text(verdict.message) },
    key("ms-mppe-send-key", keys.send, 1),
    key("ms-mppe-recv-key", keys.receive, 2),
  ];
}

/** A whole server on the network in memory. */
export class FakeRadiusServer {
  readonly requests: RadiusRequest[] = [];
  /** Passwords by user. */
  readonly users = new Map([["bob", "b0b"]]);
  /** Attributes of every Accept. */
  grants: readonly RadiusAttribute[] = [];
  /** Whether it answers at all. */
  answers = true;
  readonly #secret: string;

  constructor(
    { address, authenticationPort, accountingPort, secret }: RadiusServerSettings,
    host: (address: Ipv4) => DatagramTransport,
  ) {
    this.#secret = secret;
    for (const port of [authenticationPort, accountingPort]) {
      const socket = host(address).open(
        port,
        (from, fromPort, bytes) => {
          const answer = this.#receive(bytes);
          if (answer !== undefined) socket.send(from, fromPort, answer);
        },
        assert.fail,
      );
    }
  }
  /** Accounting-Requests by Acct-Status-Type. */
  accounted(status: number): readonly RadiusRequest[] {
    const isOne = (each: RadiusAttribute) => each.kind === "acct-status-type" && each.number === status;
    return this.requests.filter(
      ({ code, attributes }) => code === RadiusCode.accountingRequest && attributes.some(isOne),
    );
  }
  #receive(bytes: Buffer): Buffer | undefined {
    const request = readRequest(bytes, this.#secret);
    this.requests.push(request);
    if (!this.answers) return undefined;
    const options = { secret: this.#secret };
    if (request.code === RadiusCode.accountingRequest)
      return reply(request, RadiusCode.accountingResponse, [], options);
    const credentials = credentialsIn(request, this.#secret);
    const password = this.users.get(accountName(credentials.userName)) ?? randomBytes(8).toString("hex");
    const verdict = verifyPassword(credentials, password);
    const attributes = [...verdictAttributes(request, verdict, this.#secret), ...(verdict.ok ? this.grants : [])];
    return reply(request, verdict.ok ? RadiusCode.accessAccept : RadiusCode.accessReject, attributes, options);
  }
}
