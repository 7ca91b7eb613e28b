/** What scenarios can ask of a computer with Windows' PPTP client, whether it is a real one (`windows/real-windows.ts`) or played (`windows.ts`). */
import { CheckError } from "../scenario.ts";
import type { FetchedFile, OfferedFile, PingResult } from "./traffic.ts";
import type { RasEvent } from "./windows/ras-events.ts";
import type { RasdialResult } from "./windows/rasdial.ts";
import type { AuthenticationMethod, EncryptionLevel } from "./windows/versions.ts";

/** A VPN connection and who dials it, in the words of Add-VpnConnection. */
export interface WindowsDialing {
  readonly server: string;
  readonly user: string;
  readonly password: string;
  /** Required unless given, as in Windows. */
  readonly encryption?: EncryptionLevel;
  /** MSChapv2 unless given, as in Windows. */
  readonly authentication?: readonly AuthenticationMethod[];
  /** Networks to reach through the tunnel beside that of the assigned address' class. */
  readonly routes?: readonly string[];
  /** Everything goes through the tunnel (no -SplitTunneling). */
  readonly usesDefaultGateway?: boolean;
}

/** The call as Windows shows it. */
export interface WindowsCall {
  readonly localAddress: string;
  /** Primary and secondary, as far as the server names them. */
  readonly dns: readonly string[];
  readonly mtu: number;
  /** Networks that are reached through the tunnel. */
  readonly routes: readonly string[];
}

/** The call did not come up: the code that the user sees. */
export class RasError extends CheckError {
  readonly code: number;
  /** The code is what our stack, playing Windows, would show by the documents; no Windows has shown it. */
  readonly predicted: boolean;
  constructor(node: string, dialing: WindowsDialing, result: RasdialResult, because: string | undefined) {
    const predicted = because === undefined ? "" : `; predicted: ${because}`;
    super(
      `${node}: dialing ${dialing.server} as ${dialing.user} failed with RAS error ${result.code}: ${result.text}${predicted}`,
    );
    this.name = "RasError";
    this.code = result.code;
    this.predicted = because !== undefined;
  }
}

/** What scenarios can ask of a Windows computer, real or played. */
export interface WindowsPeer {
  readonly version: string;
  /** Codes and events are predictions: this is the profile, no real Windows. */
  readonly predicts: boolean;
  /** Ends what an earlier failure left behind, sets up the connection, dials, and returns once it is up; else throws a `RasError`. */
  dial(dialing: WindowsDialing): Promise<WindowsCall>;
  hangUp(): Promise<void>;
  /** Returns when no call is left, whoever ended it. */
  untilDown(withinMs: number): Promise<void>;
  /** Of the last call or attempt that failed, or was ended from outside; undefined when none was. */
  lastError(): Promise<number | undefined>;
  /** The address inside the tunnel; fails when there is none. */
  address(): Promise<string>;
  /** RasClient's events since the last `dial`, oldest first. */
  events(): Promise<readonly RasEvent[]>;
  /** Interfaces, routes and calls that should be gone. */
  leftovers(): Promise<readonly string[]>;
  ping(target: string): Promise<PingResult>;
  isAnswered(target: string): Promise<boolean>;
  offerFile(bytes: number): Promise<OfferedFile>;
  fetchFile(from: string): Promise<FetchedFile>;
}
