// Resuming a stream: wherever the connection breaks, and whatever is sent meanwhile, the agent has each message once.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SseReader } from '../../../src/core/sse.ts';
import { AgentStream } from '../../../src/upstream/agentStream.ts';
import { EventStore } from '../../../src/upstream/eventStore.ts';
import { SseBody } from '../../../src/upstream/sseBody.ts';
import { FakeClock } from '../../support/fakeClock.ts';

function body(): SseBody {
  const nothing = (): void => {};
  return new SseBody({
    clock: new FakeClock(),
    queueBytes: 1_000_000,
    stallMs: 1_000,
    onFull: nothing,
    onDrained: nothing,
    onGone: nothing,
  });
}

/** An agent that reads byte by byte, and remembers the id of the last event that it has whole. */
class Agent {
  readonly messages: number[] = [];
  readonly #stream: AgentStream;
  readonly #store: EventStore;
  #body: SseBody | undefined;
  #reader: SseReader | undefined;
  #lastId: string | undefined;

  constructor(stream: AgentStream, store: EventStore) {
    this.#stream = stream;
    this.#store = store;
    this.connect();
  }

  connect(): void {
    this.#body = body();
    this.#reader = new SseReader({
      maxEventBytes: 10_000,
      onEvent: ({ id, data }) => {
        this.#lastId = id ?? this.#lastId;
        if (data !== '') this.messages.push((JSON.parse(data) as { n: number }).n);
      },
    });
    const from = this.#lastId === undefined ? undefined : this.#store.parse(this.#lastId)!.seq;
    this.#stream.attach(this.#body, from);
    if (from !== undefined) return;
    this.#stream.prime();
    while (this.#lastId === undefined) this.read(1); // Without an id there is nothing to come back to.
  }

  read(bytes: number): void {
    for (let left = bytes; left > 0 && this.#body!.readableLength > 0; left -= 1) {
      this.#reader!.push(this.#body!.read(1) as Buffer);
    }
  }

  /** What was on its way is lost. */
  cut(): void {
    this.#body!.destroy();
  }
}

type Step = { kind: 'send' } | { kind: 'read'; bytes: number } | { kind: 'cut' } | { kind: 'other' };

const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constant<Step>({ kind: 'send' }) },
    { weight: 4, arbitrary: fc.nat(80).map((bytes): Step => ({ kind: 'read', bytes })) },
    { weight: 2, arbitrary: fc.constant<Step>({ kind: 'cut' }) },
    { weight: 1, arbitrary: fc.constant<Step>({ kind: 'other' }) },
  ),
  { maxLength: 60 },
);

describe('an agent that comes back with Last-Event-ID', () => {
  it('has every message once and in order, wherever it was cut and whatever came meanwhile', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const store = new EventStore(1_000, 1_000_000);
        const [stream, other] = [new AgentStream('g', store), new AgentStream('p1', store)];
        const agent = new Agent(stream, store);
        let sent = 0;
        let isCut = false;
        for (const step of taken) {
          if (step.kind === 'send') stream.send(Buffer.from(JSON.stringify({ n: (sent += 1) })));
          if (step.kind === 'other') other.send(Buffer.from('{"n":-1}'));
          if (step.kind === 'read' && !isCut) agent.read(step.bytes);
          if (step.kind !== 'cut') continue;
          if (isCut) agent.connect();
          else agent.cut();
          isCut = !isCut;
        }
        if (!isCut) agent.cut();
        agent.connect();
        agent.read(Infinity);
        expect(agent.messages).toEqual(Array.from({ length: sent }, (_, index) => index + 1));
      }),
      { numRuns: 500 },
    );
  });
});
