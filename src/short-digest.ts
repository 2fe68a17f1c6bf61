import { base64url } from 'jose'

/** SHA-256 cut to 128 bits, in base64url: 22 characters, for values that are long or must not be stored as they are. */
export async function shortDigest(content: string | Uint8Array<ArrayBuffer>): Promise<string> {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
  return base64url.encode(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)).subarray(0, 16))
}
