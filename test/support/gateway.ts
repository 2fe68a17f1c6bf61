import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Binary } from '../../src/local/binary.ts'
import { MissingGatewayError } from '../../src/local/gateway-binaries.ts'
import { startHaproxy, startNginx } from '../../src/local/gateway-process.ts'
import type { ListeningProcess } from '../../src/local/listening-process.ts'
import { projectRoot } from '../../src/local/project.ts'
import { audience } from './stack.ts'

export interface Behind {
  readonly latchkeyPort: number
  readonly servicePort: number
}

export type StartGateway = (behind: Behind) => Promise<ListeningProcess>

const folderOfExamples = join(projectRoot, 'src', 'gateways')

/** A gateway's program, or nothing where it is missing: on a newcomer's machine it may be, in CI that is a failure. */
export async function gatewayForTests(find: () => Promise<Binary>): Promise<Binary | undefined> {
  return find().catch((error: unknown) => {
    if (process.env.CI || !(error instanceof MissingGatewayError)) throw error
    console.warn(`Not tested: ${error.message}`)
    return undefined
  })
}

/** nginx with our example as it stands, but for the four values that it tells the reader to change. */
export async function startExampleNginx(
  binary: Binary,
  { latchkeyPort, servicePort }: Behind,
): Promise<ListeningProcess> {
  const example = await readFile(join(folderOfExamples, 'nginx.conf'), 'utf8')
  const config = (port: number) =>
    [
      ['127.0.0.1:8080', `127.0.0.1:${port}`],
      ['127.0.0.1:8787', `127.0.0.1:${latchkeyPort}`],
      ['127.0.0.1:3000', `127.0.0.1:${servicePort}`],
      ['http%3A%2F%2Flocalhost%3A8787', encodeURIComponent(audience)],
    ].reduce((text, [from = '', to = '']) => {
      expect(text.split(from)).toHaveLength(2)
      return text.replace(from, to)
    }, example)
  return inFolderOfItsOwn((folder) => startNginx({ binary, config, folder }))
}

/** haproxy with our example as it stands; its values come from the environment. */
export async function startExampleHaproxy(binary: Binary, behind: Behind): Promise<ListeningProcess> {
  const example = await readFile(join(folderOfExamples, 'haproxy.cfg'), 'utf8')
  return inFolderOfItsOwn((folder) =>
    startHaproxy({
      binary,
      config: (port) => example.replace('presetenv LISTEN 127.0.0.1:8080', `presetenv LISTEN 127.0.0.1:${port}`),
      files: [join(folderOfExamples, 'haproxy-verify.lua')],
      folder,
      env: {
        LATCHKEY: `127.0.0.1:${behind.latchkeyPort}`,
        SERVICE: `127.0.0.1:${behind.servicePort}`,
        VERIFY: `unix@${join(folder, 'verify.sock')}`,
        AUDIENCE: encodeURIComponent(audience),
      },
    }),
  )
}

async function inFolderOfItsOwn(start: (folder: string) => Promise<ListeningProcess>): Promise<ListeningProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-gateway-'))
  const gateway = await start(folder)
  return {
    ...gateway,
    async stop() {
      await gateway.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
