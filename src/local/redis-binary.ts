/** Finds a redis-server for the local stack and the tests, or fetches one where that needs no root. */
import { type Binary, findBinary, type FindOptions } from './binary.ts'

/** A redis-server that answers `--version`, with the environment it must be started in. */
export type RedisBinary = Binary

/** No redis-server is here and none can be fetched; the message tells the reader what to install. */
export class MissingRedisError extends Error {
  override name = 'MissingRedisError'

  constructor(options?: ErrorOptions) {
    super(
      'redis-server was not found on this machine and could not be fetched. Install it with ' +
        '`sudo apt-get install redis-server` (Debian, Ubuntu), `brew install redis` (macOS) or ' +
        '`sudo dnf install redis` (Fedora), or set REDIS_URL to a Redis that is already running.',
      options,
    )
  }
}

/**
 * Looks on PATH for redis-server or valkey-server, then in `cacheFolder`, and on Debian and Ubuntu then fetches the
 * packages into `cacheFolder`. Several processes may do so at once: the folder appears complete or not at all.
 *
 * @throws {MissingRedisError}
 */
export async function findRedisServer(options: FindOptions): Promise<RedisBinary> {
  return findBinary(
    {
      names: ['redis-server', 'valkey-server'],
      packages: ['redis-server', 'redis-tools'],
      folder: 'usr/bin',
      versionArgs: ['--version'],
      missing: (cause) => new MissingRedisError(cause),
    },
    options,
  )
}
