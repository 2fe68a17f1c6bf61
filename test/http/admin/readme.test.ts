import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { describeEnvironment } from '../../../src/local/environment.ts'
import { projectRoot } from '../../../src/local/project.ts'
import { apiSecret, issuer, stackForTest, testSecret, type Stack } from '../../support/stack.ts'
import { json } from '../../support/user.ts'

const run = promisify(execFile)

/** A stack with the clients of the local one, and `ada` as its administrator, as `npm run accounts` would have made her. */
async function startLocalStack(): Promise<Stack> {
  const { CLIENTS = '' } = describeEnvironment({
    baseUrl: issuer,
    store: { url: '', token: '' },
    devVars: { LATCHKEY_SECRET: testSecret, API_CLIENT_SECRET: apiSecret },
    shell: {},
  })
  const stack = await stackForTest({ env: { CLIENTS, STORE_TIMEOUT_MS: '5000' } })
  await stack.request('/v1/accounts', json({ username: 'ada', password: 'correct horse battery' }))
  const account = await stack.store().findAccount('ada')
  if (!account) throw new Error('no account')
  const actor = { by: 'operator', from: '', requestId: '' }
  await stack.store().changeAccount({ account, roles: 'admin', nowMs: stack.nowMs(), actor })
  return stack
}

/** The shell commands that README has about administration, after the one that makes the administrator. */
async function readCommands(): Promise<string[]> {
  const readme = await readFile(join(projectRoot, 'README.md'), 'utf8')
  const section = /\n## Administration\n([\s\S]*?)\n## /.exec(readme)?.[1] ?? ''
  const [first, ...others] = [...section.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, commands = '']) => commands)
  expect(first).toBe('npm run accounts -- create ada --roles admin\n')
  return others
}

it('README’s commands for administration do what they say', async () => {
  const stack = await startLocalStack()
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-readme-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, '.dev.vars'), `API_CLIENT_SECRET=${apiSecret}\n`)
  const [administer = '', open = '', ...rest] = await readCommands()
  expect(rest).toEqual([])
  const answersTo = async (commands: string) => {
    const script = commands.replaceAll('http://localhost:8787', stack.addressOf(0))
    const { stdout } = await run('bash', ['-euc', script], { cwd: folder })
    return stdout
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line))
  }
  expect(await answersTo(administer)).toMatchObject([
    { username: 'joan', status: 'active', roles: ['teller'] },
    { accounts: [{ username: 'joan' }] },
    { events: [{ event: 'account.created' }, {}, {}, {}, {}] },
  ])
  expect(await answersTo(open)).toMatchObject([{ token_type: 'Bearer', user_id: 'api:248289761001' }])
})
