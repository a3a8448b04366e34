import { createHash } from 'node:crypto'
import { isPassword } from './digest.ts'
import type { DataDirectory } from './files.ts'
import type { GeoServerOptions } from './options.ts'
import { ROLES, USERS } from './seed.ts'
import { child, type Element, element, parseXml } from './xml.ts'

/** Who may come in: users and roles of the data directory, looked at again when their files may have changed. */
export class Users {
  readonly #files: DataDirectory
  readonly #options: GeoServerOptions
  /** Passwords that were right, hashed with what they were compared to: comparing takes long, on purpose. */
  readonly #known = new Set<string>()
  #read: { readonly atMs: number; readonly users: Element; readonly roles: Element } | undefined

  constructor(files: DataDirectory, options: GeoServerOptions) {
    this.#files = files
    this.#options = options
  }

  isAdministrator(user: string, password: string): boolean {
    if (user === this.#options.user && password === this.#options.password) return true
    const { users, roles } = this.#look()
    const found = child(users, 'users')?.children.find((one) => one.attributes['name'] === user)
    const mayIn = found !== undefined && found.attributes['enabled'] === 'true'
    return (
      mayIn && rolesOf(roles, user).includes('ADMIN') && this.#matches(found.attributes['password'] ?? '', password)
    )
  }

  /** Takes what REST has just written for true at once. */
  forget(): void {
    this.#read = undefined
  }

  #matches(kept: string, password: string): boolean {
    const key = createHash('sha256').update(`${kept}\n${password}`).digest('hex')
    if (this.#known.has(key)) return true
    const right = isPassword(kept, password)
    if (right) this.#known.add(key)
    return right
  }

  #look(): { readonly users: Element; readonly roles: Element } {
    const now = performance.now()
    if (this.#read === undefined || now - this.#read.atMs > this.#options.fileMs) {
      const parse = (path: string): Element => {
        try {
          return parseXml(this.#files.text(path) ?? '')
        } catch {
          return element('unreadable')
        }
      }
      this.#read = { atMs: now, users: parse(USERS), roles: parse(ROLES) }
    }
    return this.#read
  }
}

function rolesOf(roles: Element, user: string): readonly string[] {
  const found = child(roles, 'userList')?.children.find((one) => one.attributes['username'] === user)
  return (found?.children ?? []).map((one) => one.attributes['roleID'] ?? '')
}
