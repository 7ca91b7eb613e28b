/** The words of `rasdial`, Windows' own dialer for the command line: what it prints, and how that is read. */
import { rasErrorText } from "./ras-errors.ts";

/** How a `rasdial` ended. */
export interface RasdialResult {
  /** 0, or the RAS error, which is also the program's exit code. */
  readonly code: number;
  /** Windows' words for it; empty after success. */
  readonly text: string;
}

const DIALING = ["Verifying username and password...", "Registering your computer on the network..."];
const COMPLETED = "Command completed successfully.";

/** What `rasdial NAME USER PASSWORD` prints. `stage` 0 never reached the server, 1 was being authenticated. */
export function dialedText(name: string, code: number, stage: 0 | 1): string {
  const lines = [`Connecting to ${name}...`];
  if (code === 0) return [...lines, ...DIALING, `Successfully connected to ${name}.`, COMPLETED, ""].join("\n");
  return [...lines, ...DIALING.slice(0, stage), "", rasErrorText(code), ""].join("\n");
}

export function completedText(): string {
  return `${COMPLETED}\n`;
}

/** What bare `rasdial` prints. */
export function connectionsText(names: readonly string[]): string {
  const list = names.length === 0 ? ["No connections"] : ["Connected to", ...names];
  return [...list, COMPLETED, ""].join("\n");
}

/**
 * Reads any output of `rasdial`. The exit code decides: the words are in the language of that Windows, and only their
 * number is looked for where there is no exit code.
 */
export function parseRasdial(output: string, exitCode: number | undefined): RasdialResult {
  const line = /^.*?\b(\d{3})\s*[-–:]\s*(.*)$/m.exec(output);
  const said = line === null ? undefined : Number(line[1]);
  const code = exitCode ?? said ?? 0;
  if (code === 0) return { code, text: "" };
  const words = said === code ? (line?.[2] ?? "") : lastLine(output);
  return { code, text: words.trim().slice(0, 500) };
}

function lastLine(output: string): string {
  return (
    output
      .split(/\r?\n/)
      .filter((line) => line.trim() !== "")
      .at(-1) ?? ""
  );
}
