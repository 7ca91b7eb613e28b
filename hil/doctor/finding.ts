/** What an examination of this computer found, one thing at a time. */

export interface Finding {
  /** `fine` needs nothing, `note` is worth knowing, `problem` stops something. */
  readonly state: "fine" | "note" | "problem";
  /** A word or two: what was looked at. */
  readonly about: string;
  readonly what: string;
  /** For a problem: what does not work because of it. */
  readonly why?: string | undefined;
  readonly repair?: Repair | undefined;
}

export interface Repair {
  /** What a person types. */
  readonly command: string;
  /** Does the same, if the doctor may; otherwise it is the person's to do. */
  readonly run?: (() => Promise<void>) | undefined;
}
