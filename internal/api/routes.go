package api

import "upstream"

// register lists every route. Who may ask, how the answer is handled, what it is:
// tests walk this list to show that no role, key or customer reaches further.
func (s *Server) register() {
	viewer, analyst, admin := atLeast(upstream.Viewer), atLeast(upstream.Analyst), atLeast(upstream.Admin)

	add(s, "GET", "health/", anyone, momentary, "Whether the service works", s.getHealth)

	add(s, "POST", "auth/token/", anyone, login|secret|global, "Sign in a program: an access token for 15 minutes and a refresh token for 7 days", s.createToken)
	add(s, "POST", "auth/token/refresh/", anyone, login|secret|global, "Exchange a refresh token for a new pair; the old one is spent", s.refreshToken)
	add(s, "POST", "auth/token/verify/", anyone, login|secret|global, "Whether a token is good", s.verifyToken)
	add(s, "POST", "auth/login/", anyone, login|secret|global, "Sign in a browser: sets a cookie", s.logIn)
	add(s, "POST", "auth/logout/", signedIn, global, "End this session", s.logOut)
	add(s, "GET", "auth/me/", signedIn, global, "Who is signed in", s.getMe)
	add(s, "POST", "auth/password/", signedIn, secret|global, "Change one's password; ends one's other sessions", s.changePassword)
	add(s, "GET", "auth/sessions/", signedIn, global, "One's sessions", s.listSessions)
	add(s, "DELETE", "auth/sessions/{id}/", signedIn, global, "End one of one's sessions", s.endSession)

	add(s, "GET", "dashboard/", viewer, kept, "The morning's figures", s.getDashboard)

	add(s, "GET", "drift-events/", viewer, kept|audited, "The drift feed", s.listEvents)
	add(s, "GET", "drift-events/active/", viewer, kept|audited, "The drift events that go on", s.listActiveEvents)
	add(s, "GET", "drift-events/{id}/", viewer, kept|audited, "A drift event, its evidence and its history", s.getEvent)
	add(s, "GET", "drift-events/{id}/claims/", viewer, kept|audited, "The claims that prove a drift event, newest first", s.listEventClaims)
	add(s, "PATCH", "drift-events/{id}/", analyst, audited, "Judge a drift event, or give it an owner or a note", s.judgeEvent)

	add(s, "GET", "claims/", viewer, kept|audited, "Claims", s.listClaims)
	add(s, "GET", "claims/{id}/", viewer, kept|audited, "A claim", s.getClaim)
	add(s, "GET", "claims/payer_summary/", viewer, kept, "Claims, denials and days to decision by payer", s.getPayerSummary)
	add(s, "GET", "payer-summary/", viewer, kept, "The same as claims/payer_summary/", s.getPayerSummary)
	add(s, "GET", "denial-rate-trend/", viewer, kept, "The denial rate by week or month", s.getDenialRateTrend)

	add(s, "GET", "reports/", viewer, kept, "Report runs, newest first", s.listRuns)
	add(s, "GET", "reports/{id}/", viewer, kept, "A report run", s.getRun)
	add(s, "POST", "reports/trigger/", analyst, 0, "Start a report run, which ends by itself", s.triggerRun, accepted)
	add(s, "GET", "report-runs/", viewer, kept, "The same as reports/", s.listRuns)
	add(s, "GET", "report-runs/{id}/", viewer, kept, "The same as reports/{id}/", s.getRun)
	add(s, "POST", "report-runs/trigger/", analyst, 0, "The same as reports/trigger/", s.triggerRun, accepted)

	add(s, "GET", "uploads/", viewer, kept, "Uploads, newest first", s.listUploads)
	add(s, "POST", "uploads/", analyst, streamed, "Send a file of claims", s.createUpload, accepted, documentUpload)
	add(s, "GET", "uploads/{id}/", viewer, kept, "An upload and how far it is", s.getUpload)
	add(s, "GET", "uploads/{id}/rejects/", viewer, kept, "The rows of an upload that could not be used", s.listRejects)

	add(s, "GET", "payer-mappings/", analyst, kept, "How names in files become payers", s.listPayerMappings)
	add(s, "GET", "payer-mappings/unmatched/", analyst, kept, "Payers in claims that nothing names", s.listUnmatchedPayers)
	add(s, "POST", "payer-mappings/", analyst, 0, "Map a name to a payer", s.createPayerMapping, created)
	add(s, "GET", "payer-mappings/{id}/", analyst, kept, "A payer mapping", s.getPayerMapping)
	add(s, "PATCH", "payer-mappings/{id}/", analyst, 0, "Change a payer mapping", s.changePayerMapping)
	add(s, "DELETE", "payer-mappings/{id}/", analyst, 0, "Remove a payer mapping", s.deletePayerMapping)
	add(s, "GET", "cpt-mappings/", analyst, kept, "A customer's own procedure groups", s.listCPTMappings)
	add(s, "GET", "cpt-mappings/unmatched/", analyst, kept, "Procedure codes of no group", s.listUnmatchedCodes)
	add(s, "POST", "cpt-mappings/", analyst, 0, "Map a procedure code to a group", s.createCPTMapping, created)
	add(s, "GET", "cpt-mappings/{id}/", analyst, kept, "A CPT mapping", s.getCPTMapping)
	add(s, "PATCH", "cpt-mappings/{id}/", analyst, 0, "Change a CPT mapping", s.changeCPTMapping)
	add(s, "DELETE", "cpt-mappings/{id}/", analyst, 0, "Remove a CPT mapping", s.deleteCPTMapping)

	add(s, "GET", "settings/", admin, 0, "What a customer has set", s.getSettings)
	add(s, "PATCH", "settings/", admin, 0, "Change settings", s.changeSettings)
	add(s, "GET", "users/", admin, 0, "Users", s.listUsers)
	add(s, "POST", "users/", admin, secret, "Make a user", s.createUser, created)
	add(s, "GET", "users/{id}/", admin, 0, "A user", s.getUser)
	add(s, "PATCH", "users/{id}/", admin, secret, "Change a user's role or password, or disable the user", s.changeUser)
	add(s, "DELETE", "users/{id}/", admin, 0, "Remove a user", s.deleteUser)
	add(s, "GET", "api-keys/", admin, 0, "API keys", s.listAPIKeys)
	add(s, "POST", "api-keys/", admin, secret, "Make an API key, which is shown this once", s.createAPIKey, created)
	add(s, "DELETE", "api-keys/{id}/", admin, 0, "Revoke an API key", s.revokeAPIKey)
	add(s, "GET", "audit/", admin, 0, "Who read claims and changed something, newest first", s.listAudit)

	add(s, "GET", "customers/", admin, global, "Customers: all for a superuser, else one's own", s.listCustomers)
	add(s, "POST", "customers/", superusers, global, "Make a customer", s.createCustomer, created)
	add(s, "GET", "customers/{id}/", admin, global, "A customer", s.getCustomer)
	add(s, "PATCH", "customers/{id}/", superusers, global, "Rename a customer; names are unique, so that only who sees all may", s.changeCustomer)

	s.documents()
}
