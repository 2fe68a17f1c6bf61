/** Calls to one server, over connections that stay open, by undici's bare interface: `fetch` would cost the callers more. */
import { Pool } from 'undici'

export interface WebCall {
  readonly path: string
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  /** What the status must be; 200 by default. */
  readonly status?: number
}

export interface WebAnswer {
  readonly body: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

export interface Web {
  readonly url: string
  /** @throws when the status is another one */
  call(call: WebCall & { readonly body?: string }): Promise<WebAnswer>
  postJson(call: WebCall, body: object): Promise<WebAnswer>
  postForm(call: WebCall, body: Readonly<Record<string, string>>): Promise<WebAnswer>
  close(): Promise<void>
}

export function openWeb(url: string, connections = 32): Web {
  const pool = new Pool(url, { connections, pipelining: 1 })

  async function call({ path, method = 'GET', headers = {}, status = 200, body }: Parameters<Web['call']>[0]) {
    const answer = await pool.request({ path, method, headers, ...(body === undefined ? {} : { body }) })
    const text = await answer.body.text()
    if (answer.statusCode !== status)
      throw new Error(`${method} ${path.split('?')[0]} was answered ${answer.statusCode}: ${text.slice(0, 300)}`)
    return { body: text, headers: answer.headers }
  }

  const post = (given: WebCall, type: string, body: string) =>
    call({ ...given, method: 'POST', headers: { 'content-type': type, ...given.headers }, body })

  return {
    url,
    call,
    postJson: (given, body) => post(given, 'application/json', JSON.stringify(body)),
    postForm: (given, body) => post(given, 'application/x-www-form-urlencoded', new URLSearchParams(body).toString()),
    close: () => pool.destroy(),
  }
}
