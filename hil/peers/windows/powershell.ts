/** PowerShell 5.1 as it is reached over any channel: scripts go as UTF-16LE in base64, so that no shell on the way reads them. */

/** What a program on the Windows computer said, and its exit code, which may be any 32-bit number. */
export interface CommandResult {
  readonly exitCode: number;
  readonly output: string;
}

/**
 * A way to run programs on a Windows computer. `how` names it for the report. A channel that is gone throws a Fault of class
 * `peer`; a program that is still running at the limit does too.
 */
export interface WindowsChannel {
  readonly how: "qemu-guest-agent" | "OpenSSH" | "serial SAC";
  run(program: string, args: readonly string[], withinMs: number): Promise<CommandResult>;
  close(): void;
}

/** Exit codes above 255 do not survive every channel, so the script itself says its own. */
const EXIT_MARK = "CULVERT-EXIT=";

/** cmd.exe, which sshd and SAC go through, takes 8191. */
const LONGEST = 7_900;

const PROLOGUE = [
  "$ErrorActionPreference = 'Stop'",
  "$ProgressPreference = 'SilentlyContinue'", // or its bars end up as XML in the error output
  "[Console]::OutputEncoding = New-Object System.Text.UTF8Encoding $false",
];

/**
 * Runs a script. `$code` is the exit code that it leaves, 0 unless it sets it; an error that nothing caught is code -1 with its
 * words in the output.
 */
export async function runScript(channel: WindowsChannel, script: string, withinMs: number): Promise<CommandResult> {
  const args = ["-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-EncodedCommand", encodeScript(script)];
  const { output, exitCode } = await channel.run("powershell.exe", args, withinMs);
  return parseMarked(output, exitCode);
}

/** The script between prologue and exit mark, as -EncodedCommand takes it. */
export function encodeScript(script: string): string {
  const lines = [
    ...PROLOGUE,
    "$code = 0",
    "try {",
    script,
    '} catch { $code = -1; "$($_.Exception.Message)" }',
    `"${EXIT_MARK}$code"`,
  ];
  const encoded = Buffer.from(lines.join("\n"), "utf16le").toString("base64");
  if (encoded.length > LONGEST)
    throw new RangeError(`the script is too long for one command line of Windows: ${encoded.length} characters`);
  return encoded;
}

/** Output without the exit mark, and its code; without a mark PowerShell itself failed, and `exitCode` stands. */
export function parseMarked(output: string, exitCode: number): CommandResult {
  const text = output.replace(/\r\n/g, "\n").replace(/^\uFEFF/, "");
  const at = text.lastIndexOf(EXIT_MARK);
  const code = at < 0 ? undefined : /^-?\d{1,10}/.exec(text.slice(at + EXIT_MARK.length))?.[0];
  if (code === undefined) return { exitCode: exitCode === 0 ? -1 : exitCode, output: text };
  return { exitCode: Number(code), output: text.slice(0, at) };
}

/** A string literal. PowerShell takes four typographic marks for single quotes too. */
export function literal(text: string): string {
  return `'${text.replace(/['\u2018\u2019\u201A\u201B]/g, "$&$&")}'`;
}

/** An argument of a native program: PowerShell 5.1 puts quotes around blanks, and loses quotes that are inside. */
export function nativeArgument(text: string): string {
  const quoted = text.replace(/(\\*)"/g, '$1$1\\"');
  return literal(/\s/.test(quoted) ? quoted.replace(/(\\+)$/, "$1$1") : quoted === "" ? '""' : quoted);
}
