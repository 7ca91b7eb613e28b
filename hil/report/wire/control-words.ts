/** PPTP control messages in words: RFC 2637 §2. */
import {
  codeText,
  DISCONNECT_RESULT,
  ECHO_RESULT,
  GENERAL_ERROR,
  INCOMING_CALL_RESULT,
  OUTGOING_CALL_RESULT,
  START_RESULT,
  STOP_REASON,
  STOP_RESULT,
} from "../../../appliance/wire/control-code.ts";
import type { ControlMessage, ControlMessageType } from "../../../appliance/wire/control-message.ts";
import type { Field } from "./traffic.ts";

interface ControlWords {
  readonly label: string;
  readonly fields: readonly Field[];
  readonly wrong: string | undefined;
}

type Codes = Readonly<Record<number, string>>;

/** What a Result Code means in each message, and which codes are no trouble. */
const RESULT: Partial<Record<ControlMessageType, { readonly codes: Codes; readonly good: readonly number[] }>> = {
  "start-control-connection-reply": { codes: START_RESULT, good: [1] },
  "stop-control-connection-reply": { codes: STOP_RESULT, good: [1] },
  "echo-reply": { codes: ECHO_RESULT, good: [1] },
  "outgoing-call-reply": { codes: OUTGOING_CALL_RESULT, good: [1] },
  "incoming-call-reply": { codes: INCOMING_CALL_RESULT, good: [1] },
  "call-disconnect-notify": { codes: DISCONNECT_RESULT, good: [0, 3, 4] },
};

export function describeControlMessage(message: ControlMessage): ControlWords {
  const name = message.type.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
  const values = Object.entries(message).filter(([field]) => field !== "type");
  const fields: Field[] = [["PPTP message", name]];
  for (const [field, value] of values) fields.push([spoken(field), valueText(message.type, field, value)]);
  const ids = [
    "callId" in message ? `call ${message.callId}` : "",
    "peersCallId" in message ? `peer's call ${message.peersCallId}` : "",
    "identifier" in message ? `id ${message.identifier}` : "",
  ].filter((text) => text !== "");
  const result = "resultCode" in message ? resultOf(message.type, message.resultCode) : undefined;
  const outcome = result === undefined || result.isGood ? "" : `: ${result.text}`;
  return {
    label: [name, ...ids].join(" ") + outcome,
    fields,
    wrong: result !== undefined && !result.isGood ? `${name}: ${result.text}` : wrongOf(message),
  };
}

function wrongOf(message: ControlMessage): string | undefined {
  if (message.type === "wan-error-notify") return "WAN-Error-Notify: the peer counts errors on the call";
  if (message.type === "stop-control-connection-request" && message.reason === 2) {
    return `Stop-Control-Connection-Request: ${codeText(STOP_REASON, message.reason)}`;
  }
  return undefined;
}

function resultOf(type: ControlMessageType, code: number): { text: string; isGood: boolean } | undefined {
  const known = RESULT[type];
  return known && { text: codeText(known.codes, code), isGood: known.good.includes(code) };
}

function valueText(type: ControlMessageType, field: string, value: unknown): string {
  if (Buffer.isBuffer(value)) return value.every((byte) => byte === 0) ? "empty" : value.toString("hex");
  if (typeof value === "string") return value === "" ? "empty" : JSON.stringify(value);
  if (typeof value !== "number") return String(value);
  if (field === "resultCode") return resultOf(type, value)?.text ?? String(value);
  if (field === "errorCode") return codeText(GENERAL_ERROR, value);
  if (field === "reason") return codeText(STOP_REASON, value);
  if (field === "protocolVersion") return `${value >>> 8}.${value & 255}`;
  if (/Accm$|Capabilities$|Type$/.test(field)) return `0x${value.toString(16)}`;
  return String(value);
}

/** `peersCallId` → `Peers call id`. */
function spoken(field: string): string {
  const words = field.replace(/[A-Z]/g, (capital) => ` ${capital.toLowerCase()}`);
  return words.charAt(0).toUpperCase() + words.slice(1);
}
