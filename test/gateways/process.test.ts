import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chown, cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { z } from 'zod'
import type { Binary } from '../../src/local/binary.ts'
import { findHaproxy, findNginx, MissingGatewayError } from '../../src/local/gateway-binaries.ts'
import { GatewayStartError, startHaproxy, startNginx } from '../../src/local/gateway-process.ts'
import { projectRoot } from '../../src/local/project.ts'
import { startEchoService } from '../support/echo-service.ts'
import { gatewayForTests } from '../support/gateway.ts'

const run = promisify(execFile)

/** Debian's user and group for those who are nobody. */
const NOBODY = 65_534

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-gateway-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

const nginxConfig = (port: number) => `
error_log stderr; pid nginx.pid; events {}
http { access_log off; client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c; uwsgi_temp_path d; scgi_temp_path e;
  server { listen 127.0.0.1:${port}; location / { return 204; } } }
`
const haproxyConfig = (port: number) => `
defaults
  mode http
  timeout connect 1s
  timeout client 1s
  timeout server 1s
frontend one
  bind 127.0.0.1:${port}
  http-request return status 204
`

const gateways = [
  { name: 'nginx', find: findNginx, start: startNginx, config: nginxConfig },
  { name: 'haproxy', find: findHaproxy, start: startHaproxy, config: haproxyConfig },
]

describe.each(gateways)('$name as a process', async ({ find, start, config }) => {
  const found = await gatewayForTests(find)
  const binary: Binary = found ?? { path: '', env: {} }

  it.skipIf(!found)('answers when it was started, and is gone when it was stopped', async () => {
    const gateway = await start({ binary, config, folder: await temporaryFolder() })
    expect((await fetch(gateway.url)).status).toBe(204)
    await gateway.stop()
    await gateway.exited
    expect(isRunning(gateway.pid)).toBe(false)
    await expect(fetch(gateway.url)).rejects.toThrow('fetch failed')
  })

  it.skipIf(!found)('tells when it ends by itself', async () => {
    const gateway = await start({ binary, config, folder: await temporaryFolder() })
    process.kill(gateway.pid, 'SIGTERM')
    await expect(gateway.exited).resolves.toBeUndefined()
    await gateway.stop()
  })

  it.skipIf(!found)('says why it does not start: a wrong configuration, a port that is taken', async () => {
    const folder = await temporaryFolder()
    const broken = start({ binary, config: () => 'nonsense;\n', folder }).catch((error: unknown) => error)
    expect(await broken).toBeInstanceOf(GatewayStartError)
    expect(await broken).toHaveProperty('message', expect.stringContaining('nonsense'))

    const service = await startEchoService()
    onTestFinished(() => service.close())
    const late = start({ binary, config, folder, port: service.port }).catch((error: unknown) => error)
    expect(await late).toBeInstanceOf(GatewayStartError)
    expect(await late).toHaveProperty('message', expect.stringMatching(/[Aa]ddress already in use/u))
  })

  it('is asked for by name where it is missing and cannot be fetched', async () => {
    const cacheFolder = await temporaryFolder()
    vi.stubEnv('PATH', '')
    const error = await find({ cacheFolder, otherFolders: [] }).catch((reason: unknown) => reason)
    vi.unstubAllEnvs()
    expect(error).toBeInstanceOf(MissingGatewayError)
    expect(error).toHaveProperty('message', expect.stringMatching(/`sudo apt-get install (?:nginx|haproxy)`/u))
  })
})

/** Fetches what is missing, starts both with the examples as they are but for the port, asks each, and just exits. */
const script = `
import { readFile } from 'node:fs/promises'
import { findHaproxy, findNginx } from './src/local/gateway-binaries.ts'
import { startHaproxy, startNginx } from './src/local/gateway-process.ts'
const example = async (name) => {
  const text = await readFile('src/gateways/' + name, 'utf8')
  return (port) => text.replace('127.0.0.1:8080', '127.0.0.1:' + port)
}
const nginx = await startNginx({ binary: await findNginx(), config: await example('nginx.conf'), folder: 'nginx' })
const haproxy = await startHaproxy({
  binary: await findHaproxy(),
  config: await example('haproxy.cfg'),
  files: ['src/gateways/haproxy-verify.lua'],
  folder: 'haproxy',
  env: { LATCHKEY: '127.0.0.1:1', VERIFY: 'unix@haproxy/verify.sock' },
})
const results = []
for (const { url } of [nginx, haproxy]) results.push({ url, status: (await fetch(url)).status })
console.log(JSON.stringify(results))
process.exit(0)
`

// Only root can become nobody, and only Debian's packages are fetched.
const canBecomeNobody = process.getuid?.() === 0 && existsSync('/etc/debian_version')

describe('somebody who is nobody', () => {
  it.runIf(canBecomeNobody)('runs both without root, and they end with the process that started them', async () => {
    const home = await temporaryFolder()
    for (const name of ['local', 'gateways'])
      await cp(join(projectRoot, 'src', name), join(home, 'src', name), { recursive: true })
    await writeFile(join(home, 'package.json'), '{"type":"module"}')
    await writeFile(join(home, 'script.ts'), script)
    // The project's own Node may be where nobody may go.
    await cp(process.execPath, join(home, 'node'))
    await run('chown', ['-R', `${NOBODY}:${NOBODY}`, home])
    await chown(home, NOBODY, NOBODY)
    const identity = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups']
    const { stdout } = await run('setpriv', [...identity, join(home, 'node'), 'script.ts'], {
      cwd: home,
      env: { PATH: '/usr/bin:/bin', HOME: home, TMPDIR: home },
    })
    const results = z.array(z.object({ url: z.string(), status: z.number() })).parse(JSON.parse(stdout))
    expect(results.map(({ status }) => status)).toEqual([503, 503])
    for (const { url } of results)
      await vi.waitFor(() => expect(fetch(url)).rejects.toThrow('fetch failed'), { timeout: 5000 })
  })
})

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
