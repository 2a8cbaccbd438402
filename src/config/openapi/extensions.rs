//! What the values of x-amazon-apigateway keys look like (reference, section 3).

use super::shape::{
    Shape,
    Shape::{Any, Bool, Integer, List, Map, Object, Text, TextOrNumber, Texts, Word},
    Spot,
};

/// Every extension: its name, where it may stand, what it is (reference, section 3).
pub(super) static ALL: &[(&str, &[Spot], Shape)] = &[
    ("any-method", &[Spot::PathItem], Any),
    ("api-key-source", &[Spot::Root], Word(&["HEADER", "AUTHORIZER"])),
    ("auth", &[Spot::Operation], Object(&[("type", Word(&["NONE", "AWS_IAM"]))])),
    ("authorizer", &[Spot::Scheme], AUTHORIZER),
    ("authtype", &[Spot::Scheme], Text),
    ("binary-media-types", &[Spot::Root], Texts),
    ("cors", &[Spot::Root], CORS),
    ("documentation", &[Spot::Root], DOCUMENTATION),
    ("endpoint-access-mode", &[Spot::Root], Word(&["BASIC", "STRICT"])),
    ("endpoint-configuration", &[Spot::Root, Spot::Server], ENDPOINT),
    ("gateway-responses", &[Spot::Root], Map(&GATEWAY_RESPONSE)),
    ("importexport-version", &[Spot::Root], TextOrNumber),
    ("integration", &[Spot::Operation], Any),
    ("integrations", &[Spot::Components], Map(&INTEGRATION)),
    ("minimum-compression-size", &[Spot::Root], Integer(0, 10_485_760)),
    ("policy", &[Spot::Root], Map(&Any)),
    ("request-validator", &[Spot::Root, Spot::Operation], Text),
    ("request-validators", &[Spot::Root], Map(&VALIDATOR)),
    ("security-policy", &[Spot::Root], Text),
    ("tag-value", &[Spot::Tag], Text),
];

const VALIDATOR: Shape = Object(&[("validateRequestBody", Bool), ("validateRequestParameters", Bool)]);

const GATEWAY_RESPONSE: Shape =
    Object(&[("statusCode", TextOrNumber), ("responseParameters", Map(&Text)), ("responseTemplates", Map(&Text))]);

const CORS: Shape = Object(&[
    ("allowOrigins", Texts),
    ("allowCredentials", Bool),
    ("exposeHeaders", Texts),
    ("maxAge", Integer(-1, 86_400)),
    ("allowMethods", Texts),
    ("allowHeaders", Texts),
]);

const ENDPOINT: Shape = Object(&[
    ("disableExecuteApiEndpoint", Bool),
    ("vpcEndpointIds", Texts),
    ("ipAddressType", Word(&["ipv4", "dualstack"])),
    ("types", Texts),
]);

const DOCUMENTATION: Shape =
    Object(&[("version", TextOrNumber), ("createdDate", Text), ("documentationParts", List(&DOCUMENTATION_PART))]);

const DOCUMENTATION_PART: Shape = Object(&[("location", LOCATION), ("properties", Any)]);

const LOCATION: Shape = Object(&[
    (
        "type",
        Word(&[
            "API",
            "AUTHORIZER",
            "MODEL",
            "RESOURCE",
            "METHOD",
            "PATH_PARAMETER",
            "QUERY_PARAMETER",
            "REQUEST_HEADER",
            "REQUEST_BODY",
            "RESPONSE",
            "RESPONSE_HEADER",
            "RESPONSE_BODY",
        ]),
    ),
    ("path", Text),
    ("method", Text),
    ("statusCode", TextOrNumber),
    ("name", Text),
]);

/// An integration (reference, section 3.1).
pub(super) const INTEGRATION: Shape = Object(&[
    ("type", Word(&["http", "http_proxy", "aws", "aws_proxy", "mock"])),
    ("httpMethod", Word(&["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY"])),
    ("uri", Text),
    ("credentials", Text),
    ("passthroughBehavior", Word(&["when_no_match", "when_no_templates", "never"])),
    ("contentHandling", Word(&["CONVERT_TO_TEXT", "CONVERT_TO_BINARY"])),
    ("requestParameters", Map(&Text)),
    ("requestTemplates", Map(&Text)),
    ("responses", Map(&RESPONSE)),
    ("responseParameters", Map(&Map(&Text))),
    ("cacheNamespace", Text),
    ("cacheKeyParameters", Texts),
    ("connectionType", Word(&["INTERNET", "VPC_LINK"])),
    ("connectionId", Text),
    ("integrationTarget", Text),
    ("timeoutInMillis", Integer(50, 900_000)),
    ("responseTransferMode", Word(&["BUFFERED", "STREAM"])),
    ("tlsConfig", Object(&[("insecureSkipVerification", Bool), ("serverNameToVerify", Text)])),
    ("payloadFormatVersion", TextOrNumber),
    ("integrationSubtype", Text),
]);

const RESPONSE: Shape = Object(&[
    ("statusCode", TextOrNumber),
    ("responseParameters", Map(&Text)),
    ("responseTemplates", Map(&Text)),
    ("contentHandling", Word(&["CONVERT_TO_TEXT", "CONVERT_TO_BINARY"])),
]);

/// An authorizer (reference, section 3.2).
const AUTHORIZER: Shape = Object(&[
    ("type", Word(&["token", "request", "cognito_user_pools", "jwt"])),
    ("authorizerUri", Text),
    ("authorizerCredentials", Text),
    ("authorizerPayloadFormatVersion", TextOrNumber),
    ("enableSimpleResponses", Bool),
    ("identitySource", Text),
    ("identityValidationExpression", Text),
    ("authorizerResultTtlInSeconds", Integer(0, 3600)),
    ("jwtConfiguration", Object(&[("issuer", Text), ("audience", Texts)])),
    ("providerARNs", Texts),
]);

/// Keys of `cors` that are the same but for their names: Amazon API Gateway's, ours.
pub(super) const CORS_KEYS: [(&str, &str); 5] = [
    ("allowOrigins", "allow_origins"),
    ("allowMethods", "allow_methods"),
    ("allowHeaders", "allow_headers"),
    ("exposeHeaders", "expose_headers"),
    ("allowCredentials", "allow_credentials"),
];
