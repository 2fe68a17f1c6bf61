/** Finds nginx and haproxy for the tests of the gateways' configurations, or fetches them where that needs no root. */
import { join } from 'node:path'
import { type Binary, findBinary, type FindOptions } from './binary.ts'
import { localFolder } from './project.ts'

/** A gateway is not here and cannot be fetched; the message tells the reader what to install. */
export class MissingGatewayError extends Error {
  override name = 'MissingGatewayError'
}

/** Debian keeps programs of servers here, and out of the PATH of whoever is not root. */
const serverFolders = ['/usr/local/sbin', '/usr/sbin']

/**
 * An nginx that has `auth_request`.
 *
 * @throws {MissingGatewayError}
 */
export async function findNginx(options: Partial<FindOptions> = {}): Promise<Binary> {
  return findBinary(
    {
      names: ['nginx'],
      packages: ['nginx'],
      folder: 'usr/sbin',
      otherFolders: serverFolders,
      versionArgs: ['-V'],
      proof: /--with-http_auth_request_module/u,
      missing: (cause) => missing('nginx', cause),
    },
    { cacheFolder: join(localFolder, 'nginx'), ...options },
  )
}

/**
 * A haproxy that runs Lua, of version 2.6 or newer, whose Lua can make HTTP requests of its own.
 *
 * @throws {MissingGatewayError}
 */
export async function findHaproxy(options: Partial<FindOptions> = {}): Promise<Binary> {
  return findBinary(
    {
      names: ['haproxy'],
      packages: ['haproxy'],
      folder: 'usr/sbin',
      otherFolders: serverFolders,
      versionArgs: ['-vv'],
      proof: /version (?:2\.(?:[6-9]|\d\d)|[3-9])[^]*\+LUA/u,
      missing: (cause) => missing('haproxy', cause),
    },
    { cacheFolder: join(localFolder, 'haproxy'), ...options },
  )
}

function missing(name: string, options?: ErrorOptions): MissingGatewayError {
  const commands = ['sudo apt-get install', 'brew install', 'sudo dnf install'].map((start) => `\`${start} ${name}\``)
  return new MissingGatewayError(
    `A usable ${name} was not found on this machine and could not be fetched. Install it with ${commands.join(', ')}.`,
    options,
  )
}
