/** What every Programs must do: the fake and the system alike. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Programs } from "../../appliance/ports.ts";
import { Inbox } from "./inbox.ts";

/** `says`: prints two lines and ends well. `fails`: prints "no" and ends with status 3. `stays`: prints "here" and runs until it is stopped. */
export interface ProgramsBench {
  readonly programs: Programs;
  readonly says: readonly string[];
  readonly fails: readonly string[];
  readonly stays: readonly string[];
}

const TIMEOUT = { timeout: 10_000 };

export function programsContract(name: string, { programs, says, fails, stays }: ProgramsBench): void {
  const command = ([program = "", ...words]: readonly string[]) => ({ program, arguments: words });
  const start = (words: readonly string[]) => {
    const heard = new Inbox<string>();
    const running = programs.start(command(words), {
      line: (text) => heard.put(text),
      ended: (how) => heard.put(`ended ${how ?? "well"}`),
    });
    return { heard, running };
  };

  test(`${name}: a program's lines come in order, then its end`, TIMEOUT, async () => {
    const { heard } = start(says);
    assert.deepEqual([await heard.next(), await heard.next(), await heard.next()], ["one", "two", "ended well"]);
  });

  test(`${name}: a failure is told with its status`, TIMEOUT, async () => {
    const { heard } = start(fails);
    assert.deepEqual([await heard.next(), await heard.next()], ["no", "ended status 3"]);
    assert.throws(() => programs.run(command(fails)), { name: "SystemError", errno: "status 3, no" });
  });

  test(`${name}: one that stays is stopped`, TIMEOUT, async () => {
    const { heard, running } = start(stays);
    assert.equal(await heard.next(), "here");
    running.stop("SIGTERM");
    assert.equal(await heard.next(), "ended signal SIGTERM");
  });

  test(`${name}: a program that is not there ends, and cannot be run`, TIMEOUT, async () => {
    const { heard } = start(["no-such-program"]);
    assert.equal(await heard.next(), "ended ENOENT");
    assert.throws(() => programs.run(command(["no-such-program"])), { name: "SystemError", errno: "ENOENT" });
  });

  test(`${name}: what it printed is returned`, TIMEOUT, () => {
    assert.equal(programs.run(command(says)), "one\ntwo\n");
  });
}
