// Package ejbca has the names that SPIRE's plugin for EJBCA uses, so that the server compiles. Every call fails: the
// real package is not to be had, and no test configures that plugin.
package ejbca

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
)

var errAbsent = errors.New("the client of EJBCA is not part of this build")

type Authenticator interface{ GetHttpClient() (*http.Client, error) }

type MTLSAuthenticatorBuilder struct{}

func NewMTLSAuthenticatorBuilder() *MTLSAuthenticatorBuilder { return &MTLSAuthenticatorBuilder{} }

func (b *MTLSAuthenticatorBuilder) WithClientCertificate(*tls.Certificate) *MTLSAuthenticatorBuilder {
	return b
}

func (b *MTLSAuthenticatorBuilder) WithCaCertificates([]*x509.Certificate) *MTLSAuthenticatorBuilder {
	return b
}

func (b *MTLSAuthenticatorBuilder) Build() (Authenticator, error) { return nil, errAbsent }

type Configuration struct{ Host string }

func NewConfiguration() *Configuration { return &Configuration{} }

func (c *Configuration) SetAuthenticator(Authenticator) {}

type V1CertificateApi struct{}

func (a *V1CertificateApi) EnrollPkcs10Certificate(context.Context) ApiEnrollPkcs10CertificateRequest {
	return ApiEnrollPkcs10CertificateRequest{}
}

type APIClient struct{ V1CertificateApi *V1CertificateApi }

func NewAPIClient(*Configuration) (*APIClient, error) { return nil, errAbsent }

type ApiEnrollPkcs10CertificateRequest struct{}

func (r ApiEnrollPkcs10CertificateRequest) EnrollCertificateRestRequest(EnrollCertificateRestRequest) ApiEnrollPkcs10CertificateRequest {
	return r
}

func (r ApiEnrollPkcs10CertificateRequest) Execute() (*CertificateRestResponse, *http.Response, error) {
	return nil, nil, errAbsent
}

type EnrollCertificateRestRequest struct{}

func NewEnrollCertificateRestRequest() *EnrollCertificateRestRequest {
	return &EnrollCertificateRestRequest{}
}

func (r *EnrollCertificateRestRequest) SetUsername(string)                 {}
func (r *EnrollCertificateRestRequest) SetPassword(string)                 {}
func (r *EnrollCertificateRestRequest) SetCertificateRequest(string)       {}
func (r *EnrollCertificateRestRequest) SetCertificateAuthorityName(string) {}
func (r *EnrollCertificateRestRequest) SetCertificateProfileName(string)   {}
func (r *EnrollCertificateRestRequest) SetEndEntityProfileName(string)     {}
func (r *EnrollCertificateRestRequest) SetIncludeChain(bool)               {}
func (r *EnrollCertificateRestRequest) SetAccountBindingId(string)         {}

type CertificateRestResponse struct{ CertificateChain []string }

func (r *CertificateRestResponse) GetResponseFormat() string { return "" }
func (r *CertificateRestResponse) GetCertificate() string    { return "" }

type GenericOpenAPIError struct{}

func (e *GenericOpenAPIError) Error() string { return errAbsent.Error() }
func (e *GenericOpenAPIError) Body() []byte  { return nil }
