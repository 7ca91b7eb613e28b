/** Asking switches that speak HTTP: JSON answers, Basic authentication, and Digest with SHA-256 or MD5 (RFC 7616) when it is asked for. */
import { createHash, randomBytes } from "node:crypto";
import type { HttpAddress } from "./secret.ts";

/** GETs `path` (with its query) and parses the answer. Throws an Error in words when there is none, or a refusal. */
export async function getJson(
  address: HttpAddress,
  path: string,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const url = new URL(`${address.base}${path}`);
  const basic = Buffer.from(`${address.user}:${address.password}`).toString("base64");
  let response = await get(url, address.password === "" ? undefined : `Basic ${basic}`, signal);
  const challenge = response.headers.get("www-authenticate");
  if (response.status === 401 && address.password !== "" && challenge !== null && /^digest\b/i.test(challenge)) {
    await response.text();
    const client = { user: address.user, password: address.password, nonce: randomBytes(8).toString("hex") };
    response = await get(url, digestAnswer(challenge, `${url.pathname}${url.search}`, client), signal);
  }
  const text = await response.text();
  if (response.status === 401) {
    throw new Error(address.password === "" ? "it wants a password" : "it refuses the user name or the password");
  }
  const value = parseObject(text);
  if (!response.ok) throw new Error(`it answers ${response.status} ${errorText(value, text)}`);
  if (value === undefined) throw new Error(`it answers something that is not a JSON object: ${shorten(text)}`);
  return value;
}

async function get(url: URL, authorization: string | undefined, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, {
      headers: authorization === undefined ? {} : { authorization },
      redirect: "error",
      signal,
    });
  } catch (error) {
    // "fetch failed" says nothing; its cause does. The URL itself may carry a password in its query.
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new Error(`it cannot be reached: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function errorText(value: Record<string, unknown> | undefined, text: string): string {
  return typeof value?.["message"] === "string" ? value["message"] : shorten(text);
}

function shorten(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}

/** The Authorization header for a GET, RFC 7616 §3.4 with qop "auth". `nonce` is the client's. */
export function digestAnswer(
  challenge: string,
  uri: string,
  client: { readonly user: string; readonly password: string; readonly nonce: string },
): string {
  const parameter = (name: string): string | undefined => {
    const match = new RegExp(`\\b${name}=(?:"([^"]*)"|([^\\s,]+))`, "i").exec(challenge);
    return match?.[1] ?? match?.[2];
  };
  const algorithm = parameter("algorithm") ?? "MD5";
  const hashName = { MD5: "md5", "SHA-256": "sha256" }[algorithm.toUpperCase()];
  if (hashName === undefined)
    throw new Error(`it wants Digest authentication with ${algorithm}, which is not supported`);
  const hash = (text: string): string => createHash(hashName).update(text).digest("hex");
  const {
    realm = "",
    nonce = "",
    opaque,
  } = { realm: parameter("realm"), nonce: parameter("nonce"), opaque: parameter("opaque") };
  const count = "00000001";
  const ha1 = hash(`${client.user}:${realm}:${client.password}`);
  const response = hash(`${ha1}:${nonce}:${count}:${client.nonce}:auth:${hash(`GET:${uri}`)}`);
  const quoted = {
    username: client.user,
    realm,
    nonce,
    uri,
    cnonce: client.nonce,
    response,
    ...(opaque && { opaque }),
  };
  const fields = Object.entries(quoted).map(([name, value]) => `${name}="${value}"`);
  return `Digest ${[...fields, "qop=auth", `nc=${count}`, `algorithm=${algorithm}`].join(", ")}`;
}
