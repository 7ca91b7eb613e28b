/**
 * The built-in client of Windows, by version, as data: what it says and does on the wire. `windows-7` and `windows-2000`
 * are from captures, the others from documents and servers' logs; hil/peers/windows/README.md says which field has which
 * evidence. The lab's Windows peers and the tests take these profiles; the device itself takes none.
 */
import type { ClientProfile, EndpointProfile } from "./quirks.ts";

/** Windows Vista and later. */
const ENDPOINT: EndpointProfile = {
  hostName: "",
  vendorName: "Microsoft",
  firmwareRevision: 0,
  framingCapabilities: 1,
  bearerCapabilities: 1,
  maximumChannels: 0,
  packetRecvWindowSize: 64,
  minimumBps: 300,
  maximumBps: 100_000_000,
};

/** Until Windows Vista: the firmware revision is the build number. */
function classicEndpoint(build: number): EndpointProfile {
  return { ...ENDPOINT, vendorName: "Microsoft Windows NT", firmwareRevision: build };
}

/**
 * Windows 7, from a capture of 2019 against Windows RRAS (NT 6.1): field values, option order, identifiers, times and
 * goodbye are those of the wire; `test/replay/windows-captures.test.ts` compares message by message.
 */
export const WINDOWS_7: ClientProfile = {
  name: "windows-7",
  endpoint: ENDPOINT,
  computerName: "WIN-2RRBUS7N9GE",
  connectMs: 21_000, // three SYNs, 3 s, 6 s and 12 s each: what its TCP takes; its dial-out timer would be 60 s
  firstCallId: "random",
  firstSerial: 1,
  correlationId: true,
  settleMs: 5,
  // One shot of 100 ms; neither a window nor a gap makes it hurry or wait ([MS-PTPT] 3.1.5.7 to 3.1.5.9).
  greTimes: {
    ackDelayMs: 100,
    reorderMs: 0,
    shortestReorderMs: 0,
    reorderPackets: 32,
    ackEvery: Number.POSITIVE_INFINITY,
  },
  mru: 1400,
  identification: { version: "MSRASV5.20", messenger: 0 },
  callback: true,
  multilinkMrru: undefined,
  bareLcpExtensions: true,
  ipcpAsk: ["primary-dns", "primary-nbns", "secondary-dns", "secondary-nbns"],
  ipv6: true,
  windowsTerminate: true,
  echoIntervalMs: 0,
};

/** Windows 10 and 11 differ from 7 in nothing that a server's log has shown so far. */
export const WINDOWS_10: ClientProfile = { ...WINDOWS_7, name: "windows-10" };
export const WINDOWS_11: ClientProfile = { ...WINDOWS_7, name: "windows-11" };

/** From a server's log (MSRASV5.10); its control messages by the pattern of Windows 2000. */
export const WINDOWS_XP: ClientProfile = {
  ...WINDOWS_7,
  name: "windows-xp",
  endpoint: classicEndpoint(2600),
  firstCallId: 0,
  firstSerial: "random",
  correlationId: false,
  identification: { version: "MSRASV5.10", messenger: 0 },
  ipv6: false,
};

/** From captures of 2004 and of a pre-release, both against Poptop. */
export const WINDOWS_2000: ClientProfile = {
  ...WINDOWS_XP,
  name: "windows-2000",
  endpoint: classicEndpoint(2195),
  mru: 1500,
  multilinkMrru: 1614,
  identification: { version: "MSRASV5.00", messenger: 1 },
};
