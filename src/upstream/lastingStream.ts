// An agent's own event stream, which outlives the server it came from: when the server breaks off, the stream waits for
// it to come back and goes on with the new one. Whole events pass; half of one that was broken off does not.
import { Readable } from 'node:stream';
import { formatSse, SseReader, type SseEvent } from '../core/sse.ts';

export type LastingStreamOptions = {
  first: Readable;
  maxEventBytes: number;
  /** Messages of ours that the agent has to hear first. */
  owed: () => string[];
  /**
   * The stream that goes on after this event (absent: none of the one before had an id), or `undefined` when it will not go on; then it
   * ends. `isBarren`: the one before said nothing, and asking at once would be asking for ever.
   */
  reopen: (lastEventId: string | undefined, isBarren: boolean) => Promise<Readable | undefined>;
};

export function lastingStream(options: LastingStreamOptions): Readable {
  const open = { body: options.first };
  const stream = Readable.from(events(options, open), { objectMode: false });
  return stream.once('close', () => open.body.destroy());
}

async function* events(options: LastingStreamOptions, open: { body: Readable }): AsyncGenerator<Uint8Array> {
  const { maxEventBytes, owed, reopen } = options;
  for (;;) {
    let lastEventId: string | undefined;
    let isBarren = true;
    for (const text of owed()) yield Buffer.from(formatSse({ type: 'message', data: text }));
    const whole: Uint8Array[] = [];
    const onEvent = ({ raw, id }: SseEvent): void => {
      whole.push(raw);
      isBarren = false;
      lastEventId = id ?? lastEventId;
    };
    const reader = new SseReader({ maxEventBytes, onEvent });
    try {
      for await (const chunk of open.body) {
        reader.push(chunk as Buffer);
        yield* whole.splice(0);
      }
      // The server ended it: that is for the agent to know.
      yield reader.rest;
      return;
    } catch (error) {
      if (error instanceof RangeError) throw error;
    }
    const body = await reopen(lastEventId, isBarren);
    if (!body) return;
    open.body = body;
  }
}
