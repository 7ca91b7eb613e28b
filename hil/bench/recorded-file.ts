/** A recording as the bench file that a person goes on with. */
import { parseBench } from "./load.ts";
import type { Recording } from "./record.ts";

/** What to call the bench, and the switch as it was given (the text of `power:` without its name), if one was. */
export interface RecordedNames {
  readonly name: string;
  readonly power: string | undefined;
}

/** The text of a valid bench file. Throws a BenchFileError if what was recorded makes none, which is a mistake in this program. */
export function recordedFile(recording: Recording, { name, power }: RecordedNames): string {
  const text = [
    "# yaml-language-server: $schema=bench.schema.json",
    `# Written by \`culvert lab record\`; what it saw of a boot, in seconds after ${recording.since}:`,
    ...recording.phases.map(({ name: phase, atMs }) => `#   ${(atMs / 1000).toFixed(1).padStart(6)}  ${phase}`),
    `name: ${name}`,
    "fixtures: [] # what scenarios may ask for, as in [wan-port, lan-port]",
    `console: { serial: ${JSON.stringify(recording.port)}, baud: ${recording.baud} }`,
    power === undefined
      ? "power: { manual: true } # a person is asked; board-example.yaml shows switches that need nobody"
      : `power: { ${power} }`,
    ...ladder(recording),
    "# flash: { tftp: { nic: NAME-OF-A-NIC-HERE }, verify: sha256 }",
    "# net: { wan: NAME-OF-A-NIC-HERE }",
    "",
  ].join("\n");
  parseBench(text, `${name}.yaml`);
  return text;
}

function ladder(recording: Recording): string[] {
  const steps = [...bootloader(recording), ...system(recording)];
  const isEmpty = steps.every((line) => line.trimStart().startsWith("#"));
  return isEmpty ? steps.map((line) => line.trimStart()) : ["ladder:", ...steps];
}

function bootloader({ bootloader: loader, stopped }: Recording): string[] {
  if (loader === undefined) return ["  # no boot loader was seen"];
  const seen = `  # ${loader.name}${loader.version === undefined ? "" : ` ${loader.version}`}`;
  if (loader.name !== "U-Boot") return [`${seen}: the lab does not drive it`];
  if (stopped === undefined) return [`${seen}: it could not be stopped`];
  const fields = [
    `prompt: ${JSON.stringify(stopped.prompt)}`,
    `interrupt: ${stopped.key}`,
    ...(loader.autoboot === undefined ? [] : [`autoboot: ${JSON.stringify(loader.autoboot)}`]),
  ];
  return [seen, `  bootloader: { uboot: { ${fields.join(", ")} } }`];
}

function system({ greeting, shellPrompt }: Recording): string[] {
  switch (greeting?.kind) {
    case undefined:
      return ["  # after the boot nothing answered to Enter"];
    case "culvert":
      return ["  cli: culvert"];
    case "login":
      return [
        `  login: { prompt: ${JSON.stringify(greeting.prompt)}, user: root } # password: "\${env:NAME}", if it has one`,
        '  # shell: { prompt: "# " } # or cli: culvert',
      ];
    case "activate": {
      const activate = `activate: ${JSON.stringify(greeting.text)}`;
      if (shellPrompt === undefined) return [`  # it says ${JSON.stringify(greeting.text)}, and no prompt came`];
      return [`  shell: { prompt: ${JSON.stringify(shellPrompt)}, ${activate} }`];
    }
    case "shell":
      return [`  shell: { prompt: ${JSON.stringify(greeting.prompt)} }`];
  }
}
