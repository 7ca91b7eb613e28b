/** A journal that only keeps what it is told. */
import type { EventBody } from "../../hil/journal/event.ts";
import type { EventSink } from "../../hil/journal/journal.ts";

export class EventList implements EventSink {
  readonly bodies: EventBody[] = [];

  append(body: EventBody): void {
    this.bodies.push(body);
  }
  of<K extends EventBody["kind"]>(kind: K): Extract<EventBody, { kind: K }>[] {
    return this.bodies.filter((body): body is Extract<EventBody, { kind: K }> => body.kind === kind);
  }
}
