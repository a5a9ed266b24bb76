// Servers that do not start, do not answer, say too much, die in the middle, or do not want to die.
import { describe, expect, it, onTestFinished } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import { expectNothingLeft } from '../../support/leaks.ts';
import { EventReader, isAlive, request, stdioWorld, type World } from '../../support/stdioWorld.ts';
import { until } from '../../support/until.ts';

const never = new AbortController().signal;

async function failure(world: World, signal = never): Promise<TunnelError> {
  const error: unknown = await world.upstream.check(signal).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(error instanceof TunnelError)) throw new Error('check did not fail as it should', { cause: error });
  return error;
}

const startedPids = ({ events }: World): number[] =>
  events.flatMap((event) => (event.kind === 'started' && event.pid !== undefined ? [event.pid] : []));

describe('check', () => {
  it('starts the command once, has it answer initialize, and ends it', async () => {
    expectNothingLeft();
    const world = stdioWorld();
    await world.upstream.check(never);
    const [pid] = startedPids(world);
    await until(() => !isAlive(pid!));
    expect(startedPids(world)).toHaveLength(1);
  });

  it.each([
    [
      'a command that is nowhere',
      'surely-no-such-command',
      /surely-no-such-command was not found on PATH \(searched \/.*\)/,
    ],
    ['a path that does not exist', './no/such/file', /no\/such\/file does not exist or is not executable/],
    ['a file that is no program', './package.json', /package\.json does not exist or is not executable/],
    ['a folder', './src', /does not exist or is not executable/],
    ['no command', '', /no command/],
  ])('says what is wrong with %s', async (_what, command, message) => {
    expectNothingLeft();
    const error = await failure(stdioWorld([], { command }));
    expect(error.code).toBe('UPSTREAM_START');
    expect(error.message).toMatch(message);
  });

  it('says that the folder is missing, rather than the command', async () => {
    const error = await failure(stdioWorld([], { cwd: '/no/such/folder' }));
    expect([error.code, error.message]).toEqual([
      'UPSTREAM_START',
      'the server’s folder /no/such/folder does not exist',
    ]);
  });

  it('says that an argument cannot be passed on', async () => {
    expect(await failure(stdioWorld(['a\0b']))).toMatchObject({ code: 'UPSTREAM_START' });
  });

  it('gives the last words of a server that exits at once', async () => {
    expectNothingLeft();
    const error = await failure(stdioWorld(['--exit']));
    expect(error.code).toBe('UPSTREAM_START');
    expect(error.message).toBe(
      'the server ended with code 3 before it answered initialize; its last words: the reason why it cannot start',
    );
    expect(error.data).toEqual({ stderr: ['first words', 'the reason why it cannot start'] });
  });

  it('shows what a program printed that is no MCP server', async () => {
    expectNothingLeft();
    const error = await failure(stdioWorld(['--hello']));
    expect(error.message).toBe(
      'the server ended with code 0 before it answered initialize; it printed: Hello! This is no MCP server.',
    );
  });

  it('ends a program that prints and prints', async () => {
    expectNothingLeft();
    const world = stdioWorld(['--babble', '--mute']);
    const error = await failure(world);
    expect(error.message).toBe('the server prints text that is not MCP; it printed: line 0');
    expect(world.events.filter(({ kind }) => kind === 'noise').length).toBeLessThanOrEqual(1_001);
  });

  it('does not wait for ever for a server that says nothing', async () => {
    expectNothingLeft();
    const world = stdioWorld(['--mute', '--ignore-close', '--ignore-term'], { limits: { startTimeoutMs: 300 } });
    const error = await failure(world);
    expect(error.message).toContain('the server did not answer initialize within 0.3 s');
    const [pid] = startedPids(world);
    await world.upstream.close();
    expect(isAlive(pid!)).toBe(false);
  });

  it('passes on why the server refuses', async () => {
    expect(await failure(stdioWorld(['--refuse']))).toMatchObject({
      code: 'UPSTREAM_PROTOCOL',
      message: 'the server did not accept initialize: not you',
    });
  });

  it('stops when it is told to, and leaves nothing behind', async () => {
    expectNothingLeft();
    const world = stdioWorld(['--mute']);
    const controller = new AbortController();
    const checking = failure(world, controller.signal);
    await until(() => startedPids(world).length === 1);
    controller.abort();
    expect(await checking).toMatchObject({ code: 'CANCELLED' });
    const [pid] = startedPids(world);
    await until(() => !isAlive(pid!));
    expect(await failure(world, controller.signal)).toMatchObject({ code: 'CANCELLED' });
  });

  it('takes a banner and a byte order mark for what they are: noise', async () => {
    const world = stdioWorld(['--banner', '--bom']);
    await world.upstream.check(never);
    const { sessionId } = await world.initialize();
    expect((await world.post(request(1, 'ping'), sessionId)).text).toBe(
      '{"jsonrpc":"2.0","id":1,"result":{"method":"ping"}}',
    );
    const noise = world.events.flatMap((event) =>
      event.kind === 'noise' && event.sessionId === sessionId ? [event.line] : [],
    );
    expect(noise).toEqual(['Starting up …', 'Listening on stdio']);
  });
});

describe('initialize', () => {
  it('of a server that cannot start fails with the reason, and no session stays', async () => {
    expectNothingLeft();
    const world = stdioWorld(['--exit']);
    await expect(world.post(request(0, 'initialize', {}))).rejects.toMatchObject({ code: 'UPSTREAM_START' });
  });

  it('that the agent does not wait for ends the process: nobody knows the session', async () => {
    expectNothingLeft();
    const world = stdioWorld(['--mute']);
    const controller = new AbortController();
    const body = request(0, 'initialize', {});
    const opening = world.open({
      body: Buffer.from(JSON.stringify(body)),
      messages: [{ kind: 'request', id: 0, method: 'initialize', params: {} }],
      signal: controller.signal,
    });
    await until(() => startedPids(world).length === 1);
    controller.abort();
    await expect(opening).rejects.toMatchObject({ code: 'CANCELLED' });
    await until(() => !isAlive(startedPids(world)[0]!));
  });
});

describe('a server that dies', () => {
  it('by kill -9 in the middle of calls answers each of them, and its session goes on', async () => {
    expectNothingLeft();
    const world = stdioWorld();
    const { sessionId, pid } = await world.initialize();
    const stream = new EventReader(await world.get(sessionId));
    const streaming = new EventReader(
      await world.send(
        request('s', 'progress', { steps: 1_000, everyMs: 5, _meta: { progressToken: 't' } }),
        sessionId,
      ),
    );
    await streaming.has(1);
    const waiting = world.post(request('w', 'never'), sessionId);
    process.kill(pid, 'SIGKILL');
    const message =
      'the MCP server behind this tunnel was restarted before it answered; the call may have been carried out. It can be tried again';
    const error = { code: -32011, message, data: { retryable: true } };
    const answered = await waiting;
    expect([answered.status, answered.json]).toEqual([200, { jsonrpc: '2.0', id: 'w', error }]);
    await streaming.ended();
    expect(streaming.messages.at(-1)).toEqual({ jsonrpc: '2.0', id: 's', error });

    expect((await world.post(request(1, 'ping'), sessionId)).status).toBe(200);
    expect(stream.isEnded).toBe(false);
    const kinds = world.events.map(({ kind }) => kind).filter((kind) => kind !== 'stderr');
    expect(kinds).toEqual(['started', 'exited', 'away', 'started', 'returned']);
    expect(world.events).toContainEqual({ kind: 'exited', sessionId, code: null, signal: 'SIGKILL' });
    expect(world.events).toContainEqual({ kind: 'away', sessionId, reason: 'the server was ended by SIGKILL' });
  });

  it('leaves no process of its group behind', async () => {
    expectNothingLeft();
    const world = stdioWorld(['--family']);
    const { pid } = await world.initialize();
    const [near, far] = await family(world);
    onTestFinished(() => void process.kill(far!, 'SIGKILL')); // It left the group, and its parent cannot be asked.
    process.kill(pid, 'SIGKILL');
    await until(() => !isAlive(near!));
  });
});

describe('a server that does not want to end', () => {
  it('may end itself: what it started is ended all the same', async () => {
    expectNothingLeft();
    const world = stdioWorld(['--family']);
    const { pid } = await world.initialize();
    const [near, far] = await family(world);
    await world.upstream.close();
    expect([pid, near!, far!].filter(isAlive)).toEqual([]);
    expect(world.events.at(-1)).toMatchObject({ kind: 'exited', code: 0 });
  });

  it('is ended with everything it started, also what left its process group', async () => {
    expectNothingLeft();
    const world = stdioWorld(['--family', '--ignore-term', '--ignore-close']);
    const { sessionId, pid } = await world.initialize();
    const [near, far] = await family(world);
    await world.open({ method: 'DELETE', sessionId });
    await world.upstream.close();
    expect([pid, near!, far!].filter(isAlive)).toEqual([]);
  });

  it('is asked politely first: SIGTERM, and before it the end of its stdin', async () => {
    const world = stdioWorld(['--ignore-close', '--ignore-term']);
    const { sessionId } = await world.initialize();
    await world.open({ method: 'DELETE', sessionId });
    await world.upstream.close();
    expect(world.events).toContainEqual({ kind: 'stderr', sessionId, line: 'SIGTERM is not for me' });
    expect(world.events.at(-1)).toMatchObject({ kind: 'exited', signal: 'SIGKILL' });
    const polite = stdioWorld();
    await polite.initialize();
    await polite.upstream.close();
    expect(polite.events.at(-1)).toMatchObject({ kind: 'exited', code: 0, signal: null });
  });
});

describe('a server that says too much', () => {
  it('has a line that is too long dropped; the call fails, the next one works', async () => {
    expectNothingLeft();
    const world = stdioWorld([], { limits: { maxLineBytes: 1_000_000 } });
    const { sessionId } = await world.initialize();
    await expect(world.post(request(1, 'big', { bytes: 100_000_000 }), sessionId)).rejects.toMatchObject({
      code: 'LIMIT',
    });
    expect((await world.post(request(2, 'ping'), sessionId)).status).toBe(200);
  });

  it('may say much: an answer of 50 MB arrives whole', async () => {
    const world = stdioWorld();
    const { sessionId } = await world.initialize();
    const { text } = await world.post(request(1, 'big', { bytes: 50_000_000 }), sessionId);
    expect(text.includes('x'.repeat(50_000_000))).toBe(true);
  });

  it('has its noise shown, not forwarded, and its long lines cut', async () => {
    const world = stdioWorld([], { limits: { maxShownChars: 20 } });
    const { sessionId } = await world.initialize();
    const noise = ['not json', '{"level":30,"method":"GET"}', '[]', '7', '{"jsonrpc":"2.0","id":9}', 'y'.repeat(50)];
    const text = `${noise.join('\n')}\n{"jsonrpc":"2.0","id":1,"result":"clean"}\n`;
    expect((await world.post(request(1, 'raw', { text }), sessionId)).json).toMatchObject({ result: 'clean' });
    const lines = world.events.flatMap((event) => (event.kind === 'noise' ? [event.line] : []));
    expect(lines).toEqual([
      'not json',
      '{"level":30,"method"…',
      '[]',
      '7',
      '{"jsonrpc":"2.0","id…',
      `${'y'.repeat(20)}…`,
    ]);
  });
});

it('a server that no longer reads is not fed for ever: 503', async () => {
  expectNothingLeft();
  const world = stdioWorld([], { limits: { maxUnreadInputBytes: 100_000 } });
  const { sessionId } = await world.initialize();
  await world.post(request(0, 'deaf'), sessionId);
  const waiting: Promise<unknown>[] = [];
  let refused: { status: number; json: object } | undefined;
  for (let id = 1; id < 50 && !refused; id += 1) {
    const call = world.post(request(id, 'never', { pad: 'x'.repeat(50_000) }), sessionId);
    const outcome = await Promise.race([
      call,
      new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined))),
    ]);
    if (outcome) refused = outcome;
    else waiting.push(call.catch(() => {}));
  }
  expect(refused).toMatchObject({ status: 503, json: { error: { code: -32011 } } });
  await world.upstream.close();
  await Promise.all(waiting);
});

it('closing while servers start ends them too', async () => {
  expectNothingLeft();
  const world = stdioWorld();
  const opening = world.initialize();
  opening.catch(() => {});
  await world.upstream.close();
  await expect(opening).rejects.toMatchObject({ code: expect.stringMatching(/CLOSED|UPSTREAM_EXITED/) as string });
  await expect(world.initialize()).rejects.toMatchObject({ code: 'CLOSED' });
  expect(startedPids(world).filter(isAlive)).toEqual([]);
});

async function family(world: World): Promise<number[]> {
  const words = (): string | undefined =>
    world.events.flatMap((event) =>
      event.kind === 'stderr' && event.line.startsWith('family') ? [event.line] : [],
    )[0];
  await until(() => words() !== undefined);
  return words()!.split(' ').slice(1).map(Number);
}
