// Small private files (keys, grants, policy), as an interface: folders that must not know each other write them
// the same way, and tests can make a disk full. The implementation is handed in (`helper/privateFiles.ts`).

export interface PrivateFiles {
  /** The text, or `undefined` where there is no such file. Throws `STATE_UNWRITABLE` when it cannot be read. */
  read(path: string): Promise<string | undefined>;
  /** Atomic (temporary file, fsync, rename), mode 0600, folders made with 0700. Throws `STATE_UNWRITABLE`. */
  write(path: string, text: string): Promise<void>;
  /**
   * Read, change, write under a lock that holds across processes; a dead holder's lock is taken over.
   * What `change` throws is thrown on, with the file as it was.
   */
  update(path: string, change: (old: string | undefined) => string | Promise<string>): Promise<string>;
}
