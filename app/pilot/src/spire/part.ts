/** The parts that run as services; each is an executable of its own, so that SPIRE can tell them apart. */
export const services = ['nexus', 'keeper', 'bootstrap'] as const;
export type Service = (typeof services)[number];

/** For what a person may have an identity. */
export const pilotRoles = ['superuser', 'recover', 'restore'] as const;
export type PilotRole = (typeof pilotRoles)[number];
