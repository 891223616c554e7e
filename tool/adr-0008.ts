/** The lines of ADR-0008, as it was accepted: doc/reference/adr-0008.md has a row for each of them. */
export const adr: readonly string[] = `
ADR-0008: Administrative Access Control System
- Status: accepted
- Date: 2024-11-03
- Tags: Security, Administration, Disaster Recovery
Context
*e need a secure and auditable system for administrative access that:
- Manages initial system provisioning
- Controls ongoing administrative access
- Prevents accidental system re-initialization
- Provides emergency recovery options
- Ensures accountability of administrative actions
Decision
We will implement a multi-layered administrative access system:
Initial Provisioning
- Require admin password specification
- Generate admin token in SPIKE Nexus
- Single initialization opportunity
Ongoing Access:
- Token-based authentication via
spike login
- Temporary access tokens
- Password-to-token exchange mechanism
System Protection:
- Prevention of accidental re-initialization
- Out-of-band factory reset capability
- Strict initialization state management
Consequences
Positive
- Clear audit trail of administrative actions
- Prevention of accidental system resets
- Temporary token model reduces risk of token compromise
- Password-based authentication with token exchange provides dual security
- Emergency recovery option available
- Clear separation between normal operation and emergency procedures
Negative
- Need to manage admin password securely
- Additional complexity in access management
- Potential for system lockout if password is lost
- Need to secure factory reset capability
- Additional operational overhead for token management
Implementation Requirements
Initial Provisioning
Password Requirements
- Strong password policies
- Secure password transmission
- Initial token generation rules
Initialization Protection
- State tracking mechanism
- Initialization lock
- State persistence
Authentication Flow
Login Process
spike login
command implementation- Password validation
- Token generation and exchange
- Token lifetime management
Token Management:
- Token expiration rules
- Token revocation capabilities
- Token usage tracking
Factory Reset
Out-of-band Script:
- Secure script storage
- Access controls
- Execution logging
- State verification
Reset Protection:
- Confirmation requirements
- Audit logging
- State validation
Security Measures
Access Control
Password Protection:
- Secure storage
- Hash algorithms
- Salt management
- Update procedures
Token Security:
- Cryptographic strength
- Expiration handling
- Revocation mechanisms
- Usage limitations
Audit Requirements
Logging:
- Login attempts
- Token generations
- Administrative actions
- Reset attempts
Audit Trail
- Timestamp recording
- Action attribution
- Success/failure status
- IP address tracking
Emergency Procedures
System Reset
Prerequisites
- Access to reset script
- Authentication requirements
- Backup verification
- Impact assessment
Execution Process:
- Safety checks
- Backup procedures
- Reset execution
- System verification
Recovery Procedures
Access Recovery:
- Password reset process
- Token regeneration
- System state verification
- Access restoration
Monitoring and Alerts
Security Events
- Failed login attempts
- Token misuse
- Initialization attempts
- Reset attempts
System State
- Initialization status
- Token validity
- System integrity
- Access patterns
Implementation Guidelines
Command Line Interface
spike login --password [password] # Exchange password for temporary token
spike reset --force
# Execute factory reset (requires additional safeguards)
# for example it will print a script but not execute it.
State Management
- Use atomic operations for state changes
- Implement state persistence
- Include state verification
- Maintain state history
References
Notes
- Regular testing of reset procedures required
- Document all emergency procedures
- Train administrators on proper usage
- Regular audit of access patterns
- Review and update procedures periodically
Warning
The factory reset capability should be strictly controlled and documented. Accidental execution could result in complete system reset and data loss.
- ADR-0021: SPIKE Keeper as a Stateless Shard Holder
- ADR-0020: Switch to Zola for Documentation System
- ADR-0019: Plugin-Based Storage Backend Architecture
- ADR-0018: Administrative Access to SPIKE
- ADR-0017: Synchronous Persistence for SPIKE Secrets Store
- ADR-0016: Memory-First Secrets Store
- ADR-0015: Use Singular Form for File and Package Naming
- ADR-0014: Maintaining SQLite as SPIKE’s Primary Storage Backend
- ADR-0013: S3-Compatible Storage as SPIKE’s Backing Store
- ADR-0012: HTTP Methods for SPIKE API
- ADR-0011: PostgreSQL as SPIKE’s Backing Store
- ADR-0010: Session Token Storage Strategy for SPIKE Nexus
- ADR-0009: Multi-Administrator Support System
- ADR-0008: Administrative Access Control System
- ADR-0007: Root Key Lifecycle and Management Strategy
- ADR-0006: Trust Boundary Definition and Security Assumptions
- ADR-0005: Use SPIFFE mTLS for Inter-Component Authentication and Communication
- ADR-0004: SPIKE Keeper Minimalist Design Approach
- ADR-0003: Root Key Management and Storage Strategy
- ADR-0002: Use Docsify for Documentation System
- ADR-0001: Display Secrets in Plain Text in SPIKE Pilot Admin CLI
`
  .trim()
  .split('\n');
