/**
 * The policy a new installation starts with. It governs every application: what no narrower environment describes falls
 * under `everything`. People change it by activating another one.
 */
export const defaultPolicyYaml = `# Countersign: default policy. Durations: weeks, days, hours, minutes (P14D, PT24H).
# Where several environments match an application, the strictest of each value holds; where none matches, nothing is allowed.
apiVersion: countersign/policy/v1
name: default
revision: 1
environments:
  everything:
    match: {}                          # every application of every tenant
    prod: false                        # true refuses approvals that only a session attests
    rotateWhenExpiresIn: P14D          # a credential is due this long before it expires
    secretLifetime: { max: P90D }
    overlap: { min: PT1H, max: P14D }  # how long old and new are both valid
    windows: always
    freezes: []
    approvals:
      expiresAfter: PT24H
      minLevel: session
      require:
        - { role: app-owner, from: owner-of-app, count: 1 }
        - { role: platform, from: "role:platform", count: 1 }
        - { role: security, from: "role:security", count: 1, when: { risk: high } }
      separation: [requester-cannot-approve, one-person-one-role]
    proof: { times: 3, spacing: PT0M, deadline: PT5M }
    rollback: { minRemaining: P2D }    # below this a failed run holds instead of going back by itself
    emergency:                         # a compromised credential: removed without overlap
      approvals: { expiresAfter: PT1H, require: [{ role: security, from: "role:security", count: 1 }] }
      containWithin: PT1H              # from the report until the old credential is dead
      restoreWithin: PT4H              # until every consumer was seen on the new one
    remediation:                       # a secret that somebody made by hand, named in the request; security is always asked
      approvals:
        expiresAfter: PT24H
        require:
          - { role: app-owner, from: owner-of-app, count: 1 }
          - { role: security, from: "role:security", count: 1 }
    breakGlass:                        # one person starts alone; another one confirms, and it is reviewed
      { roles: [security], confirm: [app-owner, platform, security], expiresAfter: PT15M, confirmWithin: PT4H, reviewWithin: P1D, unconfirmed: hold }
    retire: { minGrade: weak, consumerLevel: value-matched, quiet: P1D }
    kinds:
      postgres-role-password:
        retire: { minGrade: weak, consumerLevel: value-matched, quiet: PT1H }
    mode: supervised
  prod:
    match: { environment: prod }
    prod: true
    rotateWhenExpiresIn: P21D
    secretLifetime: { max: P90D }
    overlap: { min: P3D, max: P14D }
    windows:
      - { days: [MO, TU, WE, TH], from: "09:00", to: "15:00", tz: Europe/Berlin }
    approvals:
      expiresAfter: PT24H
      minLevel: passkey
      require:
        - { role: app-owner, from: owner-of-app, count: 1 }
        - { role: platform, from: "role:platform", count: 1 }
        - { role: security, from: "role:security", count: 1, when: { risk: high } }
      separation: [requester-cannot-approve, one-person-one-role]
    proof: { times: 5, spacing: PT1M, deadline: PT10M }
    rollback: { minRemaining: P2D }
    emergency:
      approvals:
        expiresAfter: PT1H
        require:
          - { role: platform, from: "role:platform", count: 1 }
          - { role: security, from: "role:security", count: 1 }
      containWithin: PT1H
      restoreWithin: PT4H
    remediation:
      approvals:
        expiresAfter: PT24H
        require:
          - { role: app-owner, from: owner-of-app, count: 1 }
          - { role: security, from: "role:security", count: 1 }
    breakGlass:
      { roles: [security], confirm: [app-owner, platform], expiresAfter: PT15M, confirmWithin: PT2H, reviewWithin: P1D, unconfirmed: hold }
    retire: { minGrade: strong, consumerLevel: value-matched, quiet: P3D }
    mode: supervised
`;
