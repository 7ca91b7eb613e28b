/** Secrets of bench files: `${env:NAME}` is read when it is used, and what was read is never printed. */
import process from "node:process";
import { Fault } from "../fault.ts";

const REFERENCE = /\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}/g;
/** What must not be printed; short ones are in every text by accident and protect nothing. */
const known = new Set<string>();
const SHORTEST = 4;

/** Puts environment variables in the place of their references. Throws a bench Fault that names a variable that is not set. */
export function expandSecrets(text: string, env: Readonly<Record<string, string | undefined>> = process.env): string {
  return text.replace(REFERENCE, (_, name: string) => {
    const value = env[name];
    if (value === undefined || value === "") {
      throw new Fault("bench", `the bench file needs the environment variable ${name}, and it is not set`);
    }
    keepSecret(value);
    return value;
  });
}

/** From now on `redact` takes this text out, as it stands and as a URL writes it. */
export function keepSecret(value: string): void {
  if (value.length < SHORTEST) return;
  known.add(value);
  known.add(encodeURIComponent(value));
}

/** The text with every known secret, and every password in a URL, as `***`. */
export function redact(text: string): string {
  let clean = text.replace(/(\w+:\/\/[^\s/:@]*):[^\s/@]+@/g, "$1:***@");
  for (const value of [...known].sort((a, b) => b.length - a.length)) clean = clean.replaceAll(value, "***");
  return clean;
}

/** The address and credentials of a URL in a bench file, with secrets in place. */
export interface HttpAddress {
  /** Scheme, host, port and path, without a slash at its end. */
  readonly base: string;
  readonly host: string;
  readonly user: string;
  readonly password: string;
}

/** Takes a URL of a bench file apart. A secret may hold any characters: it is put in after the URL was read. */
export function httpAddress(
  text: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): HttpAddress {
  const references: string[] = [];
  const marked = text.replace(REFERENCE, (reference) => `culvertsecret${references.push(reference) - 1}x`);
  const url = new URL(marked);
  const part = (value: string): string =>
    expandSecrets(
      value.replace(/culvertsecret(\d+)x/g, (_, index) => references[Number(index)] ?? ""),
      env,
    );
  const password = part(decoded(url.password));
  keepSecret(password);
  const host = part(url.host);
  return {
    base: `${url.protocol}//${host}${part(url.pathname).replace(/\/$/, "")}`,
    host,
    user: part(decoded(url.username)),
    password,
  };
}

/** A per cent sign that encodes nothing is itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
