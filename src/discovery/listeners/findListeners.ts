// Programs of this user that listen on loopback, by the way of this platform.
import { TunnelError } from '../../core/errors.ts';
import type { Listener } from './listener.ts';
import { lsofListeners, netstatListeners } from './otherListeners.ts';
import { procListeners } from './procListeners.ts';

/** Throws `INTERNAL` where the system's tool fails. */
export async function findListeners(platform = process.platform, env = process.env): Promise<Listener[]> {
  const uid = process.getuid?.() ?? -1;
  try {
    if (platform === 'win32') return await netstatListeners(env['SystemRoot'] ?? 'C:\\Windows');
    return platform === 'darwin' ? await lsofListeners(uid) : await procListeners(uid);
  } catch (cause) {
    throw new TunnelError('INTERNAL', 'this system does not tell which programs listen', { cause });
  }
}
