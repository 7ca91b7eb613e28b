/** Every control message there can be, for fast-check. */
import fc from "fast-check";
import type { ControlMessage } from "../../appliance/wire/control-message.ts";
import { octets, PLAIN, text, u8, u16, u32 } from "./arbitrary.ts";

const start = {
  protocolVersion: u16,
  framingCapabilities: u32,
  bearerCapabilities: u32,
  maximumChannels: u16,
  firmwareRevision: u16,
  hostName: text(64),
  vendorName: text(64),
};
const result = { resultCode: u8, errorCode: u8 };
const window = { packetRecvWindowSize: u16 };
const subaddress = octets(64, 64);
const ids = { callId: u16, peersCallId: u16 };

type Fields<T extends ControlMessage["type"]> = Omit<Extract<ControlMessage, { type: T }>, "type">;
function message<T extends ControlMessage["type"]>(
  type: T,
  fields: { [K in keyof Fields<T>]: fc.Arbitrary<Fields<T>[K]> },
): readonly [T, fc.Arbitrary<ControlMessage>] {
  return [type, fc.record({ type: fc.constant(type), ...fields }, PLAIN) as unknown as fc.Arbitrary<ControlMessage>];
}
/** Each of the fifteen types of RFC 2637 §2, with any value in every field. */
export const CONTROL_MESSAGES = [
  message("start-control-connection-request", start),
  message("start-control-connection-reply", { ...start, ...result }),
  message("stop-control-connection-request", { reason: u8 }),
  message("stop-control-connection-reply", result),
  message("echo-request", { identifier: u32 }),
  message("echo-reply", { identifier: u32, ...result }),
  message("outgoing-call-request", {
    callId: u16,
    callSerialNumber: u16,
    minimumBps: u32,
    maximumBps: u32,
    bearerType: u32,
    framingType: u32,
    ...window,
    packetProcessingDelay: u16,
    phoneNumberLength: u16,
    phoneNumber: text(64),
    subaddress,
  }),
  message("outgoing-call-reply", {
    ...ids,
    ...result,
    causeCode: u16,
    connectSpeed: u32,
    ...window,
    packetProcessingDelay: u16,
    physicalChannelId: u32,
  }),
  message("incoming-call-request", {
    callId: u16,
    callSerialNumber: u16,
    bearerType: u32,
    physicalChannelId: u32,
    dialedNumberLength: u16,
    dialingNumberLength: u16,
    dialedNumber: text(64),
    dialingNumber: text(64),
    subaddress,
  }),
  message("incoming-call-reply", { ...ids, ...result, ...window, packetTransmitDelay: u16 }),
  message("incoming-call-connected", {
    peersCallId: u16,
    connectSpeed: u32,
    ...window,
    packetTransmitDelay: u16,
    framingType: u32,
  }),
  message("call-clear-request", { callId: u16 }),
  message("call-disconnect-notify", { callId: u16, ...result, causeCode: u16, callStatistics: text(128) }),
  message("wan-error-notify", {
    peersCallId: u16,
    crcErrors: u32,
    framingErrors: u32,
    hardwareOverruns: u32,
    bufferOverruns: u32,
    timeOutErrors: u32,
    alignmentErrors: u32,
  }),
  message("set-link-info", { peersCallId: u16, sendAccm: u32, receiveAccm: u32 }),
];
