import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder that holds package.json. */
export const projectRoot = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** What the project keeps on this machine: the fetched redis-server, the local stack's data, built Workers. */
export const localFolder = join(projectRoot, '.latchkey')

/** Where a fetched redis-server is kept. */
export const redisCacheFolder = join(localFolder, 'redis')
