// The CLI's own helper, in this process: spoken to by the same contract as any other, over a pair of Ports in memory.
import { controlVersion, type DriverContract, type HelperContract } from '../protocol/control.ts';
import { Peer } from '../protocol/peer.ts';
import { portPair } from '../protocol/portPair.ts';
import { HelperHost } from '../helper/helperHost.ts';
import type { CommandContext } from './command.ts';

export type HelperPeer = Peer<DriverContract, HelperContract>;

export type OwnHelper = {
  peer: HelperPeer;
  /** Closes every tunnel and waits until nothing of the helper is left. */
  stop(): Promise<void>;
};

/**
 * `prepare` sets the driver's handlers before the first word is said. The person at the terminal named what is to
 * run, so the folder counts as trusted.
 */
export async function startOwnHelper(
  context: Pick<CommandContext, 'paths' | 'env' | 'folder' | 'clock' | 'random'>,
  prepare: (peer: HelperPeer) => void,
  options: { policy?: string } = {},
): Promise<OwnHelper> {
  const [ours, theirs] = portPair();
  const host = new HelperHost(context);
  const helperSide = new Peer<HelperContract, DriverContract>(theirs);
  host.serve(helperSide, options);
  helperSide.start();
  const peer: HelperPeer = new Peer<DriverContract, HelperContract>(ours);
  prepare(peer);
  peer.start();
  const stop = async (): Promise<void> => {
    await host.stop();
    peer.close();
  };
  try {
    await peer.request('hello', { version: controlVersion, trusted: true, folders: [context.folder] });
  } catch (error) {
    await stop();
    throw error;
  }
  return { peer, stop };
}
