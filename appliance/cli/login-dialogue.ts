/** Who may come in on the serial console: the first one sets the administrator's password, later ones know it. */
import type { LogLevel } from "../ports.ts";
import type { Appliance } from "../service/appliance.ts";

const ADMINISTRATOR = "admin";

/** The console that the questions are asked on. */
export interface LoginConsole {
  readonly write: (text: string) => void;
  readonly ask: (question: string, answer: "plain" | "hidden") => void;
  /** Keys wait until the answer is there. A failure is logged and said, and the dialogue starts again. */
  readonly wait: <T>(answer: Promise<T>, failure: string, then: (value: T) => void) => void;
  readonly log: (level: LogLevel, text: string) => void;
  readonly enter: (said: string) => void;
}

type Question =
  | { readonly about: "new-password" }
  | { readonly about: "repeat-password"; readonly password: string }
  | { readonly about: "name" }
  | { readonly about: "password"; readonly name: string };

export class LoginDialogue {
  readonly #appliance: Appliance;
  readonly #console: LoginConsole;
  #question: Question = { about: "name" };

  constructor(appliance: Appliance, console: LoginConsole) {
    this.#appliance = appliance;
    this.#console = console;
  }

  /** Asks the first question. */
  start(): void {
    if (this.#appliance.administrator.hasPassword) this.#askName();
    else this.#askNewPassword("Set the administrator password\n");
  }

  /** What was typed to the question. */
  answer(line: string): void {
    const question = this.#question;
    switch (question.about) {
      case "new-password":
        this.#newPassword(line);
        break;
      case "repeat-password":
        this.#repeatedPassword(question.password, line);
        break;
      case "name":
        if (line.trim() === "") this.#askName();
        else this.#ask({ about: "password", name: line.trim() }, "Password: ", "hidden");
        break;
      case "password":
        this.#checkPassword(question.name, line);
        break;
    }
  }

  #newPassword(password: string): void {
    const refusal = this.#appliance.administrator.refusePassword(password);
    if (refusal !== undefined) this.#askNewPassword(`${refusal}\n`);
    else this.#ask({ about: "repeat-password", password }, "Repeat password: ", "hidden");
  }

  #repeatedPassword(password: string, again: string): void {
    // The line was cut while the first one was being stored: who comes now has to know it.
    if (this.#appliance.administrator.hasPassword) {
      this.start();
      return;
    }
    if (password !== again) {
      this.#askNewPassword("They differ. Nothing was set.\n");
      return;
    }
    const stored = this.#appliance.administrator.setPassword(password);
    this.#console.wait(stored, "the password could not be stored", () => {
      this.#console.enter("the administrator password was set");
    });
  }

  #checkPassword(name: string, password: string): void {
    const tried = this.#appliance.administrator.tryPassword(password, "console");
    this.#console.wait(tried, "the password could not be checked", (attempt) => {
      // An unknown name takes as long and says the same.
      if (attempt.result === "right" && name === ADMINISTRATOR) {
        this.#console.enter("the administrator logged in");
        return;
      }
      this.#console.log("warning", `login as "${name}" refused`);
      if (attempt.result === "wait")
        this.#console.write(`Too many wrong passwords. Try again in ${Math.ceil(attempt.waitMs / 1000)} seconds.\n`);
      else this.#console.write("Login incorrect\n");
      this.#askName();
    });
  }

  #askName(): void {
    this.#ask({ about: "name" }, `${this.#appliance.name} login: `, "plain");
  }
  #askNewPassword(first: string): void {
    this.#console.write(first);
    this.#ask({ about: "new-password" }, "New password: ", "hidden");
  }
  #ask(question: Question, text: string, answer: "plain" | "hidden"): void {
    this.#question = question;
    this.#console.ask(text, answer);
  }
}
